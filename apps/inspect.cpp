// mend inspect: what a checkpoint is.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "apps/model_source.h"
#include "apps/program.h"
#include "models/registry.h"

namespace mend {
namespace {

struct InspectOptions {
  ModelSource source;
  bool json = false, keys = false;
};

Json key_list(const Checkpoint& checkpoint) {
  Json keys = Json::object();
  for (const auto& [key, tensor] : checkpoint.tensors) {
    keys[key] = {{"dtype", name_of(tensor.type)}, {"shape", tensor.shape}};
  }
  return keys;
}

void print_keys(const Checkpoint& checkpoint) {
  for (const auto& [key, tensor] : checkpoint.tensors) {
    std::puts(
        fmt::format("{:<60} {:<5} {}", key, name_of(tensor.type), to_string(tensor.shape)).c_str());
  }
}

ExitCode inspect(const InspectOptions& options) {
  const Checkpoint checkpoint = open_checkpoint(options.source.weights);
  const std::string format = checkpoint.format;
  const std::size_t tensors = checkpoint.tensors.size();
  if (options.keys && !options.json) print_keys(checkpoint);
  const Json keys = options.keys ? key_list(checkpoint) : Json();
  const Model model = load_model(checkpoint, parse_config(options.source.config));
  if (options.json) {
    Json json = {{"file", options.source.weights},
                 {"format", format},
                 {"tensors", tensors},
                 {"network", model.name},
                 {"description", model.description},
                 {"hyperparameters", model.hyperparameters},
                 {"parameters", model.parameters},
                 {"tasks", model.traits.tasks},
                 {"scale", model.traits.scale},
                 {"tile_policy", name_of(model.traits.tile_policy)}};
    if (options.keys) json["keys"] = keys;
    std::puts(json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    return ExitCode::kDone;
  }
  std::string tasks;
  for (const std::string& task : model.traits.tasks) tasks += (tasks.empty() ? "" : ", ") + task;
  std::puts(fmt::format("{}: {}, {} tensors", options.source.weights, format, tensors).c_str());
  std::puts(fmt::format("network     {}", model.description).c_str());
  std::puts(fmt::format("tasks       {}", tasks).c_str());
  std::puts(fmt::format("scale       {}", model.traits.scale).c_str());
  std::puts(fmt::format("tiles       {}", name_of(model.traits.tile_policy)).c_str());
  std::puts(fmt::format("parameters  {}", model.parameters).c_str());
  return ExitCode::kDone;
}

}  // namespace

void add_inspect(Program& program) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* command = program.add("inspect", "Tell which network a checkpoint holds",
                                  "  mend inspect net.pth\n"
                                  "  mend inspect net.pth --keys\n",
                                  [options] { return inspect(*options); });
  command->add_option("checkpoint", options->source.weights, "The file")
      ->required()
      ->type_name("CHECKPOINT");
  command->add_flag("--keys", options->keys, "List every tensor with its type and extents");
  command->add_flag("--json", options->json, "Print JSON");
  options->source.add_config_to(*command);
}

}  // namespace mend
