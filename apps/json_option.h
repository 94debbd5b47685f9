// Options whose values are JSON.
#pragma once

#include <fmt/format.h>

#include <string>

#include "engine/error.h"
#include "models/network.h"

namespace mend {

/// Throws UsageError that names the option.
inline Json parse_json_option(const std::string& option, const std::string& text) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(fmt::format("{} is no JSON: {}", option, error.what()));
  }
}

}  // namespace mend
