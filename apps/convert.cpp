// mend convert: any supported checkpoint as safetensors under the official key names.
#include "weights/convert.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "apps/model_source.h"
#include "apps/program.h"
#include "engine/log.h"
#include "models/registry.h"

namespace mend {
namespace {

struct ConversionOptions {
  ModelSource source;
  std::string output;
  bool half = false, as_is = false, quiet = false;
};

ExitCode convert(const ConversionOptions& options) {
  if (options.quiet) set_log_level(LogLevel::kQuiet);
  if (std::filesystem::path(options.output).extension() != ".safetensors") {
    throw UsageError(fmt::format("{}: the output's name must end in .safetensors", options.output));
  }
  Checkpoint checkpoint = open_checkpoint(options.source.weights);
  ConvertOptions conversion;
  conversion.half = options.half;
  if (!options.as_is) {
    // Loading checks that the network takes every key, and tells what the file did not say.
    const Model model = load_model(checkpoint, parse_config(options.source.config));
    checkpoint = identify(checkpoint).checkpoint;
    conversion.metadata = {{"network", model.name},
                           {"hyperparameters", model.hyperparameters.dump()}};
  }
  convert_to_safetensors(checkpoint, options.output, conversion);
  inform(fmt::format("{} -> {} ({} tensors)", options.source.weights, options.output,
                     checkpoint.tensors.size()));
  return ExitCode::kDone;
}

}  // namespace

void add_convert(Program& program) {
  const auto options = std::make_shared<ConversionOptions>();
  CLI::App* command =
      program.add("convert", "Write a checkpoint as safetensors with official key names",
                  "  mend convert RealESRGAN_x4plus.pth RealESRGAN_x4plus.safetensors\n"
                  "  mend convert model.param model.safetensors --half\n",
                  [options] { return convert(*options); });
  command->add_option("checkpoint", options->source.weights, "What to convert")
      ->required()
      ->type_name("IN");
  command->add_option("output", options->output, "The file to write")
      ->required()
      ->type_name("OUT.safetensors");
  command->add_flag("--half", options->half, "Store f32 as f16");
  command->add_flag("--as-is", options->as_is,
                    "Keep all keys, also of networks that mend does not know");
  command->add_flag("-q,--quiet", options->quiet, "Print errors only");
  options->source.add_config_to(*command);
}

}  // namespace mend
