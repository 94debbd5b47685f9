#include "apps/size_option.h"

#include <fmt/format.h>

#include <cstdio>

#include "engine/error.h"

namespace mend {

PictureSize parse_size(const std::string& text) {
  PictureSize size;
  int used = 0;
  const int fields = std::sscanf(text.c_str(), "%7dx%7d%n", &size.width, &size.height, &used);
  if (fields != 2 || used != static_cast<int>(text.size()) || size.width < 1 || size.height < 1) {
    throw UsageError(fmt::format("--size {}: write WIDTHxHEIGHT, for example 1920x1080", text));
  }
  return size;
}

std::string to_string(PictureSize size) { return fmt::format("{}x{}", size.width, size.height); }

PictureSize size_for(const Model& model, const std::string& text) {
  return text.empty() ? seen_size(model, {256, 256}) : parse_size(text);
}

PictureSize seen_size(const Model& model, PictureSize size) {
  const int working_size = model.traits.working_size;
  return working_size > 0 ? PictureSize{working_size, working_size} : size;
}

}  // namespace mend
