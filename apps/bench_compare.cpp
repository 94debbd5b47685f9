#include "apps/bench_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "engine/error.h"
#include "models/network.h"

namespace mend {
namespace {

/// A network's or layer's times, in milliseconds.
struct Entry {
  double median = 0, low = 0, high = 0;
  std::vector<std::pair<std::string, Entry>> layers = {};  // in the plan's order
};

using Entries = std::map<std::string, Entry>;

double milliseconds(const Json& json, const char* name, const std::string& where) {
  const auto value = json.find(name);
  const double number = value != json.end() && value->is_number() ? value->get<double>() : -1;
  if (number >= 0 && std::isfinite(number)) return number;
  throw InputError(fmt::format("{}: no line of `mend bench --json`: {} is no time", where, name));
}

std::string text(const Json& json, const char* name, const std::string& where) {
  const auto value = json.find(name);
  if (value != json.end() && value->is_string()) return value->get<std::string>();
  throw InputError(fmt::format("{}: no line of `mend bench --json`: {} is no text", where, name));
}

Entry times_of(const Json& json, const std::string& where) {
  return {milliseconds(json, "median_ms", where), milliseconds(json, "p10_ms", where),
          milliseconds(json, "p90_ms", where)};
}

/// Layers of one name and operation are told apart by their number.
std::vector<std::pair<std::string, Entry>> layers_of(const Json& json, const std::string& where) {
  std::vector<std::pair<std::string, Entry>> layers;
  if (!json.is_array()) throw InputError(fmt::format("{}: layers is no list", where));
  std::map<std::string, int> seen;
  for (const Json& layer : json) {
    const std::string path = text(layer, "layer", where), op = text(layer, "op", where);
    std::string name = path.empty() ? op : fmt::format("{} {}", path, op);
    if (const int number = ++seen[name]; number > 1) name += fmt::format(" #{}", number);
    layers.emplace_back(name, times_of(layer, where));
  }
  return layers;
}

Entries read_benches(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw InputError(fmt::format("{}: cannot be read", path));
  std::map<std::string, std::vector<Entry>> all;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    const std::string where = fmt::format("{}:{}", path, ++number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) throw InputError(fmt::format("{}: no JSON object", where));
    Entry entry = times_of(json, where);
    if (const auto layers = json.find("layers"); layers != json.end()) {
      entry.layers = layers_of(*layers, where);
    }
    const double threads = milliseconds(json, "threads", where);
    all[fmt::format("{} {} t{}", text(json, "network", where), text(json, "size", where), threads)]
        .push_back(std::move(entry));
  }
  if (all.empty()) throw InputError(fmt::format("{}: has no line of `mend bench --json`", path));
  Entries entries;
  for (auto& [key, runs] : all) {
    const auto middle = runs.begin() + static_cast<std::ptrdiff_t>(runs.size() / 2);
    std::nth_element(runs.begin(), middle, runs.end(),
                     [](const Entry& a, const Entry& b) { return a.median < b.median; });
    entries.emplace(key, std::move(*middle));
  }
  return entries;
}

const char* verdict(const Entry& before, const Entry& after) {
  if (after.median > before.high && before.median < after.low) return "slower";
  if (after.median < before.low && before.median > after.high) return "faster";
  return "";
}

void print(const std::string& network, const std::string& layer, const Entry& before,
           const Entry& after, bool json) {
  const double ratio = after.median / std::max(before.median, 1e-9);
  if (json) {
    Json line = {{"case", network}};
    if (!layer.empty()) line["layer"] = layer;
    line.update({{"old_ms", before.median},
                 {"new_ms", after.median},
                 {"ratio", ratio},
                 {"verdict", verdict(before, after)}});
    std::puts(line.dump().c_str());
    return;
  }
  std::puts(fmt::format("{:<70} {:>10.3f} {:>10.3f} {:>8.3f}  {}",
                        layer.empty() ? network : "  " + layer, before.median, after.median, ratio,
                        verdict(before, after))
                .c_str());
}

void print_alone(const std::string& name, const char* where, bool json) {
  if (json) return;
  std::puts(fmt::format("{:<70} only in the {}", name, where).c_str());
}

void compare_layers(const std::string& network, const Entry& before, const Entry& after,
                    bool json) {
  const std::map<std::string, Entry> old(before.layers.begin(), before.layers.end());
  std::map<std::string, Entry> gone = old;
  for (const auto& [name, layer] : after.layers) {
    const auto found = old.find(name);
    if (found == old.end()) {
      if (!before.layers.empty()) print_alone("  " + name, "second", json);
      continue;
    }
    gone.erase(name);
    print(network, name, found->second, layer, json);
  }
  if (after.layers.empty()) return;
  for (const auto& [name, layer] : gone) print_alone("  " + name, "first", json);
}

}  // namespace

void compare_benches(const std::string& before, const std::string& after, bool json) {
  const Entries old = read_benches(before), fresh = read_benches(after);
  if (!json) {
    std::puts(fmt::format("{:<70} {:>10} {:>10} {:>8}", "medians", "old ms", "new ms", "new/old")
                  .c_str());
  }
  for (const auto& [key, entry] : fresh) {
    const auto found = old.find(key);
    if (found == old.end()) {
      print_alone(key, "second", json);
      continue;
    }
    print(key, "", found->second, entry, json);
    compare_layers(key, found->second, entry, json);
  }
  for (const auto& [key, entry] : old) {
    if (!fresh.contains(key)) print_alone(key, "first", json);
  }
}

}  // namespace mend
