#include "weights/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/error.h"

namespace mend {

/// The text of weights/catalogue.json; the build writes it (cmake/embed.cmake).
extern const std::string_view kCatalogueJson;

namespace {

using Json = nlohmann::json;

PublishedFile parse_file(const Json& entry) {
  return {.file = entry.at("file").get<std::string>(),
          .url = entry.value("url", ""),
          .bytes = entry.value("bytes", std::int64_t{0}),
          .sha256 = entry.value("sha256", "")};
}

std::vector<PublishedCheckpoint> parse_catalogue() {
  const Json document = Json::parse(kCatalogueJson);
  std::vector<PublishedCheckpoint> entries;
  for (const Json& entry : document.at("checkpoints")) {
    PublishedCheckpoint checkpoint{.name = entry.at("name").get<std::string>(),
                                   .task = entry.at("task").get<std::string>(),
                                   .network = entry.at("network").get<std::string>(),
                                   .licence = entry.at("licence").get<std::string>(),
                                   .page = entry.at("page").get<std::string>(),
                                   .files = {}};
    for (const Json& file : entry.at("files")) checkpoint.files.push_back(parse_file(file));
    entries.push_back(std::move(checkpoint));
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

std::vector<PublishedNetwork> parse_networks() {
  const Json document = Json::parse(kCatalogueJson);
  std::vector<PublishedNetwork> networks;
  for (const Json& entry : document.at("networks")) {
    networks.push_back({.network = entry.at("network").get<std::string>(),
                        .licence = entry.at("licence").get<std::string>(),
                        .page = entry.at("page").get<std::string>()});
  }
  std::sort(networks.begin(), networks.end(),
            [](const auto& a, const auto& b) { return a.network < b.network; });
  return networks;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

}  // namespace

const std::vector<PublishedCheckpoint>& catalogue() {
  static const std::vector<PublishedCheckpoint> kEntries = parse_catalogue();
  return kEntries;
}

const std::vector<PublishedNetwork>& published_networks() {
  static const std::vector<PublishedNetwork> kNetworks = parse_networks();
  return kNetworks;
}

const PublishedCheckpoint& find_published(const std::string& name) {
  std::string similar;
  for (const PublishedCheckpoint& entry : catalogue()) {
    if (lower(entry.name) == lower(name)) return entry;
    if (lower(entry.name).find(lower(name)) != std::string::npos) similar += " " + entry.name;
  }
  throw UsageError(
      fmt::format("no published checkpoint is called {}; {}", name,
                  similar.empty() ? "`mend models` lists them" : "there are" + similar));
}

}  // namespace mend
