#include "apps/hole_options.h"

#include <fmt/format.h>

#include <filesystem>

#include "apps/task_options.h"
#include "engine/error.h"
#include "restore/image_file.h"
#include "restore/mask.h"

namespace mend {
namespace {

/// The mask that --mask names for this input.
std::string mask_file(const std::string& mask, const std::string& input) {
  if (!std::filesystem::is_directory(mask)) return mask;
  const std::filesystem::path stem = std::filesystem::path(input).stem();
  for (const char* extension : {".png", ".bmp", ".pgm", ".jpg", ".jpeg"}) {
    const std::filesystem::path file = std::filesystem::path(mask) / (stem.string() + extension);
    if (std::filesystem::exists(file)) return file.string();
  }
  throw InputError(
      fmt::format("{}: {} has no mask of that name ({}.png)", input, mask, stem.string()));
}

Rectangle parse_rectangle(const std::string& text) {
  const std::vector<int> numbers = parse_integers(text, 4, "--mask-rect");
  if (numbers[2] < 1 || numbers[3] < 1) {
    throw UsageError(fmt::format("--mask-rect {}: width and height must be positive", text));
  }
  return {numbers[1], numbers[0], numbers[3], numbers[2]};
}

}  // namespace

Image HoleOptions::mask_of(const std::string& input, const Image& image) const {
  Image holes = empty_mask(image.width, image.height);
  if (!mask.empty()) {
    add_holes(holes, mask_from_picture(read_image(mask_file(mask, input)), invert));
  } else if (rectangles.empty()) {
    if (is_opaque(image)) {
      throw InputError(fmt::format(
          "{}: nothing says where its holes are; give --mask FILE (white is filled), --mask-rect "
          "X,Y,WIDTH,HEIGHT, or a PNG whose holes are transparent",
          input));
    }
    add_holes(holes, mask_from_alpha(image));
  }
  for (const std::string& text : rectangles) add_hole(holes, parse_rectangle(text));
  return grown(holes, grow);
}

void HoleOptions::check() const {
  for (const std::string& text : rectangles) parse_rectangle(text);
  if (invert && mask.empty()) throw UsageError("--mask-invert: there is no --mask");
}

void HoleOptions::add_to(CLI::App& command) {
  command
      .add_option("--mask", mask,
                  "A picture of the same size, white where it is to be filled, or a folder of "
                  "such with the inputs' names")
      ->type_name("FILE");
  command.add_option("--mask-rect", rectangles, "A rectangle to fill, in pixels; repeatable")
      ->allow_extra_args(false)
      ->type_name("X,Y,WIDTH,HEIGHT");
  command.add_flag("--mask-invert", invert, "Black is filled, white stays");
  command.add_option("--grow", grow, "Make holes wider by as many pixels on each side")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
}

}  // namespace mend
