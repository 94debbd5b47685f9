#include "models/architecture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "engine/error.h"

namespace mend {
namespace {

// No restoration network comes near; a file that claims more is not one of ours.
constexpr std::int64_t kWidest = 4096;
constexpr int kMostBlocks = 1024;

/// A hyper-parameter that a recipe may have left out.
const Json& entry_of(const Json& hyper, const std::string& name) {
  const auto found = hyper.find(name);
  if (found == hyper.end())
    throw CheckpointError(fmt::format("hyper-parameter {} is missing", name));
  return *found;
}

[[noreturn]] void refuse(const Json& hyper, const std::string& name, const std::string& wanted) {
  throw CheckpointError(
      fmt::format("hyper-parameter {} is {}, must be {}", name, hyper.at(name).dump(), wanted));
}

}  // namespace

int extent(const Checkpoint& checkpoint, const std::string& key, std::size_t d) {
  const auto entry = checkpoint.tensors.find(key);
  if (entry == checkpoint.tensors.end() || d >= entry->second.shape.size()) return 0;
  const std::int64_t value = entry->second.shape[d];
  return value > kWidest ? 0 : static_cast<int>(value);
}

std::vector<int> indices(const Checkpoint& checkpoint, const std::string& prefix,
                         const std::string& suffix) {
  std::set<int> found;
  for (auto entry = checkpoint.tensors.lower_bound(prefix);
       entry != checkpoint.tensors.end() && entry->first.starts_with(prefix); ++entry) {
    const std::string_view rest = std::string_view(entry->first).substr(prefix.size());
    int index = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
    if (error != std::errc() || index < 0 || index >= kMostBlocks) continue;
    const std::string_view tail = rest.substr(static_cast<std::size_t>(end - rest.data()));
    if (tail.starts_with(".") && tail.substr(1) == suffix) found.insert(index);
  }
  return {found.begin(), found.end()};
}

int whole_root(int square) {
  const int root = static_cast<int>(std::lround(std::sqrt(square)));
  return root * root == square ? root : 0;
}

std::vector<int> depths_of(const Checkpoint& checkpoint, const std::string& pattern,
                           const std::string& suffix) {
  const std::size_t number = pattern.find("{}");
  std::vector<int> depths;
  for (int group = 0; group < kMostBlocks; ++group) {
    const std::string prefix = std::string(pattern).replace(number, 2, std::to_string(group));
    const std::vector<int> blocks = indices(checkpoint, prefix, suffix);
    if (blocks.empty()) break;
    depths.push_back(blocks.back() + 1);
  }
  return depths;
}

double shortest_ratio(const std::vector<std::pair<int, int>>& pairs, double official) {
  double low = 0;
  for (const auto& [part, whole] : pairs) low = std::max(low, static_cast<double>(part) / whole);
  const auto fits = [&](double candidate) {  // the product may have been rounded
    return std::all_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
      return static_cast<int>(candidate * pair.second) == pair.first;
    });
  };
  const double hundredths = 100.0 * pairs.front().first / pairs.front().second;
  const bool short_quotient = std::abs(hundredths - std::round(hundredths)) < 1e-9;
  if (official > 0 && fits(official)) return official;
  if (short_quotient && fits(std::round(hundredths) / 100)) return std::round(hundredths) / 100;
  for (double scale = 1; scale <= 1e6; scale *= 10) {
    const double digits = std::ceil(low * scale - 1e-9);
    for (const double candidate : {digits / scale, (digits + 1) / scale}) {
      if (fits(candidate)) return candidate;
    }
  }
  return static_cast<double>(pairs.front().first) / pairs.front().second;
}

int integer(const Json& hyper, const std::string& name, int low, int high) {
  const Json& value = entry_of(hyper, name);
  const double real = value.is_number() ? value.get<double>() : NAN;
  if (!(real >= low && real <= high) || real != std::floor(real)) {
    refuse(hyper, name, fmt::format("a whole number from {} to {}", low, high));
  }
  return static_cast<int>(real);
}

std::vector<int> integers(const Json& hyper, const std::string& name, int low, int high,
                          std::size_t count) {
  const Json& values = entry_of(hyper, name);
  if (!values.is_array() || values.empty() || (count != 0 && values.size() != count)) {
    refuse(hyper, name, count == 0 ? "a list" : fmt::format("a list of {} whole numbers", count));
  }
  std::vector<int> list;
  for (const Json& value : values) list.push_back(integer({{name, value}}, name, low, high));
  return list;
}

bool flag(const Json& hyper, const std::string& name) {
  if (!entry_of(hyper, name).is_boolean()) refuse(hyper, name, "true or false");
  return entry_of(hyper, name).get<bool>();
}

float number(const Json& hyper, const std::string& name) {
  const Json& value = entry_of(hyper, name);
  if (!value.is_number() || !std::isfinite(value.get<float>())) refuse(hyper, name, "a number");
  return value.get<float>();
}

double ratio(const Json& hyper, const std::string& name, double low, double high) {
  const Json& value = entry_of(hyper, name);
  const double real = value.is_number() ? value.get<double>() : NAN;
  if (!(real >= low && real <= high)) {
    refuse(hyper, name, fmt::format("a number from {} to {}", low, high));
  }
  return real;
}

std::vector<float> numbers(const Json& hyper, const std::string& name, std::size_t count) {
  const Json& values = entry_of(hyper, name);
  const auto finite = [](const Json& value) {
    return value.is_number() && std::isfinite(value.get<float>());
  };
  if (!values.is_array() || values.size() != count ||
      !std::all_of(values.begin(), values.end(), finite)) {
    refuse(hyper, name, fmt::format("a list of {} numbers", count));
  }
  return values.get<std::vector<float>>();
}

std::string choice(const Json& hyper, const std::string& name,
                   std::initializer_list<std::string_view> choices) {
  const Json& value = entry_of(hyper, name);
  if (!value.is_string() ||
      std::find(choices.begin(), choices.end(), value.get<std::string>()) == choices.end()) {
    refuse(hyper, name, fmt::format("one of {}", fmt::join(choices, ", ")));
  }
  return value.get<std::string>();
}

}  // namespace mend
