#include "train/step_parameters.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mend {

StepParameters::StepParameters(const Json& step, std::string place)
    : entries_(step, std::move(place)) {
  entry("do");
  entry("maybe");
}

Range StepParameters::range(std::string_view name, double low, double high) {
  const Json* value = entry(name);
  if (value == nullptr) refuse(fmt::format("needs '{}', a number or [low, high]", name));
  Range range;
  if (value->is_number()) {
    range.low = range.high = value->get<double>();
  } else if (value->is_array() && value->size() == 2 && (*value)[0].is_number() &&
             (*value)[1].is_number()) {
    range = {(*value)[0].get<double>(), (*value)[1].get<double>()};
  } else {
    refuse(fmt::format("'{}' is {}; give a number or [low, high]", name, value->dump()));
  }
  if (!(range.low >= low && range.low <= range.high && range.high <= high)) {
    refuse(fmt::format("'{}' is {}; it must lie in {} to {}, the lower number first", name,
                       value->dump(), low, high));
  }
  return range;
}

Range StepParameters::range(std::string_view name, double low, double high, Range otherwise) {
  return entry(name) == nullptr ? otherwise : range(name, low, high);
}

std::string StepParameters::word(std::string_view name, const std::set<std::string>& allowed) {
  const Json* value = entry(name);
  if (value == nullptr || !value->is_string() || !allowed.contains(value->get<std::string>())) {
    refuse(fmt::format("'{}' must be one of {}", name, fmt::join(allowed, ", ")));
  }
  return value->get<std::string>();
}

std::string StepParameters::word(std::string_view name, const std::set<std::string>& allowed,
                                 const std::string& otherwise) {
  return entry(name) == nullptr ? otherwise : word(name, allowed);
}

}  // namespace mend
