#include "models/measured.h"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace mend {

/// The text of models/measured.json; the build writes it (cmake/embed.cmake).
extern const std::string_view kMeasuredJson;

namespace {

std::vector<MeasuredNetwork> parse_measured() {
  std::vector<MeasuredNetwork> networks;
  const Json document = Json::parse(kMeasuredJson);
  for (const Json& entry : document.at("networks")) {
    networks.push_back({.network = entry.at("network").get<std::string>(),
                        .name = entry.at("name").get<std::string>(),
                        .weights = entry.at("weights").get<std::string>(),
                        .hyperparameters = entry.at("hyperparameters"),
                        .tasks = entry.at("tasks").get<std::vector<std::string>>(),
                        .tile_policy = entry.at("tile_policy").get<std::string>(),
                        .parameters = entry.at("parameters").get<std::int64_t>(),
                        .size = entry.at("size").get<int>(),
                        .gflops_per_megapixel = entry.at("gflops_per_megapixel").get<double>(),
                        .error = entry.value("error", 0.0),
                        .tolerance = entry.value("tolerance", 0.0)});
  }
  std::sort(networks.begin(), networks.end(), [](const auto& a, const auto& b) {
    return std::tie(a.network, a.weights, a.name) < std::tie(b.network, b.weights, b.name);
  });
  return networks;
}

}  // namespace

const std::vector<MeasuredNetwork>& measured_networks() {
  static const std::vector<MeasuredNetwork> kNetworks = parse_measured();
  return kNetworks;
}

const MeasuredNetwork* find_configuration(const std::string& name) {
  const std::vector<MeasuredNetwork>& all = measured_networks();
  const auto find = [&](const auto& fits) {
    const auto found = std::find_if(all.begin(), all.end(), fits);
    return found == all.end() ? nullptr : &*found;
  };
  if (const auto* one = find([&](const auto& entry) { return entry.name == name; })) return one;
  const auto is_official = [&](const auto& entry) {
    return entry.network == name && entry.weights != "small";
  };
  if (const auto* one = find(is_official)) return one;
  return find([&](const auto& entry) { return entry.network == name; });
}

}  // namespace mend
