#include "apps/model_source.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/error.h"
#include "engine/log.h"
#include "models/measured.h"
#include "models/registry.h"
#include "weights/catalogue.h"
#include "weights/embedded.h"
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
                  "that the program carries or `mend pull` fetched; the program's own by default")
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

/// What comes before the names of the program's own weights where a file might have that name.
constexpr std::string_view kOwn = "mend:";

/// The program's own weights of that name, with kOwn before it or, if no file is called so, without;
/// else null.
const EmbeddedCheckpoint* own_weights(const std::string& name) {
  if (name.starts_with(kOwn)) return find_embedded(std::string_view(name).substr(kOwn.size()));
  return std::filesystem::is_regular_file(name) ? nullptr : find_embedded(name);
}

/// The file of that name, or where `mend pull` keeps the published checkpoint of that name; empty if
/// neither is there.
std::string file_of(const std::string& name) {
  if (std::filesystem::exists(name)) return name;
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
  if (const EmbeddedCheckpoint* own = own_weights(weights)) return read_embedded(*own);
  if (const std::string file = file_of(weights); !file.empty()) return read_checkpoint(file);
  throw CheckpointError(
      fmt::format("{}: no such file, no weights of the program's own, and no published checkpoint "
                  "of that name was pulled; `mend models` lists "
                  "the names, `mend pull NAME` fetches one",
                  weights));
}

namespace {

/// Throws CheckpointError: the checkpoint has been published, but its shapes are not known here.
void refuse_unknown_shapes(const std::string& name) {
  for (const PublishedCheckpoint& published : catalogue()) {
    if (published.name != name) continue;
    std::string known;
    for (const MeasuredNetwork& one : measured_networks()) {
      if (one.network == published.network) known += (known.empty() ? "" : ", ") + one.name;
    }
    throw CheckpointError(
        fmt::format("{}: was not pulled, and its shapes are not known without it; of {} these are: "
                    "{}; `mend pull {}` fetches it",
                    name, published.network, known, name));
  }
}

}  // namespace

Model ModelSource::load_or_make_up() const {
  if (!file_of(weights).empty() || own_weights(weights) != nullptr) return load();
  const MeasuredNetwork* known = find_configuration(weights);
  if (known == nullptr) {
    refuse_unknown_shapes(weights);
    return load();  // says what is wrong with the name
  }
  Json hyper = known->hyperparameters;
  const Json given = parse_config(config);
  for (const auto& [name, value] : given.items()) {
    if (!hyper.contains(name)) {
      throw UsageError(fmt::format("{} has no hyper-parameter {}", known->network, name));
    }
    hyper[name] = value;
  }
  for (const Architecture& architecture : architectures()) {
    if (architecture.name != known->network) continue;
    inform(fmt::format("{}: no such file; made-up parameters for the shapes of {}", weights,
                       known->name));
    return untrained_model(architecture, hyper);
  }
  return load();
}

ModelSource ModelSource::or_own_weights(const std::string& task, int scale) const {
  if (!weights.empty()) return *this;
  const std::string wanted = scale > 0 ? fmt::format("{}-x{}", task, scale) : task;
  std::string others;
  for (const EmbeddedCheckpoint& own : embedded_checkpoints()) {
    if (own.name == wanted || (scale == 0 && own.name.starts_with(task + "-x"))) {
      detail(fmt::format("{}: by the program's own weights {}", task, own.name));
      return {fmt::format("{}{}", kOwn, own.name), config};
    }
    if (own.name.starts_with(task))
      others += fmt::format("{}{}", others.empty() ? "" : ", ", own.name);
  }
  throw UsageError(fmt::format(
      "the program has no weights of its own for {}{}; name a checkpoint: -w FILE, or one of `mend "
      "models`, which `mend pull NAME` fetches",
      wanted, others.empty() ? "" : fmt::format(" (it has {})", others)));
}

TrainableModel ModelSource::load_trainable() const {
  return TrainableModel(open_checkpoint(weights), parse_config(config));
}

Model ModelSource::load() const {
  Model model = load_model(open_checkpoint(weights), parse_config(config));
  detail(
      fmt::format("{} is a {} with {} parameters", weights, model.description, model.parameters));
  return model;
}

}  // namespace mend
