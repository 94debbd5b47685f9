// mend run: any supported checkpoint on pictures, or on tensors for parity checks.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "apps/model_source.h"
#include "apps/restore_files.h"
#include "apps/task_options.h"
#include "engine/log.h"
#include "restore/tensor_file.h"

namespace mend {
namespace {

struct RunOptions {
  CommonOptions common;
  ModelSource source;
  FileOptions files;
  std::string tensor_in, tensor_out;
  TaskSettings settings;
};

/// What `model` reads of `given`, in its order. The last inputs may be left out if the network can do
/// without them: FBCNN's quality, SIGGRAPH17's hints.
std::vector<Tensor> inputs_for(const Model& model, const std::map<std::string, Tensor>& given,
                               const std::string& path) {
  const Traits& traits = model.traits;
  const std::size_t needed =
      traits.inputs.size() - static_cast<std::size_t>(traits.optional_inputs);
  std::size_t count = traits.inputs.size();
  while (count > needed && !given.contains(traits.inputs[count - 1])) --count;
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < count; ++i) {
    const auto found = given.find(traits.inputs[i]);
    if (found == given.end()) {
      throw InputError(fmt::format("{}: has no tensor '{}', which {} reads", path, traits.inputs[i],
                                   model.description));
    }
    inputs.push_back(found->second);
  }
  return inputs;
}

ExitCode run_on_tensors(const RunOptions& options, const Model& model) {
  if (options.tensor_in.empty() || options.tensor_out.empty()) {
    throw UsageError("--tensor-in and --tensor-out go together");
  }
  if (!options.files.inputs.empty() || !options.files.output.empty()) {
    throw UsageError("give either pictures and -o, or --tensor-in and --tensor-out");
  }
  const std::vector<Tensor> inputs =
      inputs_for(model, read_tensors(options.tensor_in), options.tensor_in);
  Shapes shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  if (options.common.eager && options.common.runs_int8()) {
    throw UsageError("--eager computes in f32; leave out --precision int8");
  }
  std::optional<Calibration> calibration;
  if (options.common.runs_int8()) {
    calibration = calibrate(model.forward, {inputs});
    check_calibration(*calibration);
  }
  const std::vector<Tensor> outputs =
      options.common.eager
          ? model.forward(inputs)
          : Plan(model.forward, shapes, nullptr, calibration ? &*calibration : nullptr)(inputs);
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < outputs.size(); ++i) named[model.traits.outputs[i]] = outputs[i];
  write_tensors(options.tensor_out, named, model.traits.token_outputs);
  inform(fmt::format("{} -> {} ({})", options.tensor_in, options.tensor_out, model.description));
  return ExitCode::kDone;
}

ExitCode run_on_pictures(const RunOptions& options, const Model& model) {
  if (options.files.inputs.empty())
    throw UsageError("say which picture: mend run CHECKPOINT INPUT -o OUTPUT");
  const RestoreOptions restore = restore_options(options.settings, model);
  return restore_files(picture_work(model, restore), options.files, options.common);
}

}  // namespace

void add_run(Program& program) {
  const auto options = std::make_shared<RunOptions>();
  CLI::App* command = program.add(
      "run", "Run any supported checkpoint",
      "  mend run RealESRGAN_x4plus.pth photo.jpg -o large.png\n"
      "  mend run net.pth --tensor-in in.safetensors --tensor-out out.safetensors --eager\n"
      "Tensors are NCHW f32 under the names of the network's inputs (`input`, ...) and outputs\n"
      "(`output`, ...); they are neither scaled nor cut into tiles.\n",
      [options] {
        options->common.apply();
        const Model model = options->source.load();
        const bool tensors = !options->tensor_in.empty() || !options->tensor_out.empty();
        return tensors ? run_on_tensors(*options, model) : run_on_pictures(*options, model);
      });
  command->add_option("checkpoint", options->source.weights, "The network's weights")
      ->required()
      ->type_name("CHECKPOINT");
  command->add_option("input", options->files.inputs, "Pictures, folders, patterns, or -")
      ->type_name("INPUT");
  command
      ->add_option("-o,--output", options->files.output,
                   "A file for one input, else a folder; - for PNG to standard output")
      ->type_name("OUTPUT");
  command->add_option("--quality", options->files.write.quality, "Of JPEG outputs, 1..100")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command->add_option("--tensor-in", options->tensor_in, "Inputs as safetensors")
      ->type_name("FILE");
  command->add_option("--tensor-out", options->tensor_out, "Outputs as safetensors")
      ->type_name("FILE");
  add_sigma(*command, options->settings);
  add_jpeg_quality(*command, options->settings);
  command
      ->add_option("-s,--scale", options->settings.scale,
                   "For networks that sharpen an enlarged picture; 2 by default")
      ->check(CLI::Range(1, 8));
  options->source.add_config_to(*command);
  options->common.add_to(*command);
}

}  // namespace mend
