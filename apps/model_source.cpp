#include "apps/model_source.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/error.h"
#include "engine/log.h"
#include "models/registry.h"
#include "weights/catalogue.h"
#include "weights/pull.h"

namespace mend {

void ModelSource::add_config_to(CLI::App& command) {
  command
      .add_option("--config", config,
                  "Hyper-parameters that the checkpoint does not tell, as JSON or a file of it, "
                  "with the official constructor's names")
      ->type_name("JSON");
}

void ModelSource::add_to(CLI::App& command) {
  command
      .add_option("-w,--weights", weights,
                  "Checkpoint: .safetensors, .pth, .pt, ncnn .param or .bin, or the name of one "
                  "that `mend pull` fetched")
      ->required()
      ->type_name("CHECKPOINT");
  add_config_to(command);
}

Json parse_config(const std::string& config) {
  if (config.empty()) return Json::object();
  std::string text = config;
  if (config.front() != '{') {
    std::ifstream file(config, std::ios::binary);
    if (!file) throw UsageError(fmt::format("--config {}: neither JSON nor a file of it", config));
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  const Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    throw UsageError(
        fmt::format("--config {}: is no JSON object such as {{\"res_scale\": 0.1}}", config));
  }
  return parsed;
}

namespace {

/// Where `mend pull` keeps the published checkpoint of that name; empty if it is not there.
std::string pulled_file(const std::string& name) {
  for (const PublishedCheckpoint& published : catalogue()) {
    if (published.name != name || published.files.empty()) continue;
    const std::string path =
        fmt::format("{}/{}/{}", default_cache_folder(), name, published.files.front().file);
    if (std::filesystem::exists(path)) return path;
  }
  return {};
}

}  // namespace

Checkpoint open_checkpoint(const std::string& weights) {
  if (std::filesystem::exists(weights)) return read_checkpoint(weights);
  if (const std::string pulled = pulled_file(weights); !pulled.empty())
    return read_checkpoint(pulled);
  throw CheckpointError(fmt::format(
      "{}: no such file, and no published checkpoint of that name was pulled; `mend models` lists "
      "the names, `mend pull NAME` fetches one",
      weights));
}

Model ModelSource::load() const {
  Model model = load_model(open_checkpoint(weights), parse_config(config));
  detail(
      fmt::format("{} is a {} with {} parameters", weights, model.description, model.parameters));
  return model;
}

}  // namespace mend
