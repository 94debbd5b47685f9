// mend run: any supported checkpoint on pictures, or on tensors for parity checks.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "apps/model_source.h"
#include "apps/restore_files.h"
#include "apps/task_options.h"
#include "engine/log.h"
#include "models/trainable.h"
#include "restore/tensor_file.h"

namespace mend {
namespace {

struct RunOptions {
  CommonOptions common;
  ModelSource source;
  FileOptions files;
  std::string tensor_in, tensor_out;
  bool backward = false;
  TaskSettings settings;
};

/// What `network` reads of `given`, in its order. The last inputs may be left out if the network can do
/// without them: FBCNN's quality, SIGGRAPH17's hints.
std::vector<Tensor> inputs_for(const Traits& traits, const std::string& network,
                               const std::map<std::string, Tensor>& given,
                               const std::string& path) {
  const std::size_t needed =
      traits.inputs.size() - static_cast<std::size_t>(traits.optional_inputs);
  std::size_t count = traits.inputs.size();
  while (count > needed && !given.contains(traits.inputs[count - 1])) --count;
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < count; ++i) {
    const auto found = given.find(traits.inputs[i]);
    if (found == given.end()) {
      throw InputError(
          fmt::format("{}: has no tensor '{}', which {} reads", path, traits.inputs[i], network));
    }
    inputs.push_back(found->second);
  }
  return inputs;
}

void check_tensor_options(const RunOptions& options) {
  if (options.tensor_in.empty() || options.tensor_out.empty()) {
    throw UsageError("--tensor-in and --tensor-out go together");
  }
  if (!options.files.inputs.empty() || !options.files.output.empty()) {
    throw UsageError("give either pictures and -o, or --tensor-in and --tensor-out");
  }
}

ExitCode run_on_tensors(const RunOptions& options, const Model& model) {
  check_tensor_options(options);
  const std::vector<Tensor> inputs = inputs_for(model.traits, model.description,
                                                read_tensors(options.tensor_in), options.tensor_in);
  Shapes shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  if (options.common.eager) check_f32(options.common.tiles(), "--eager");
  std::optional<Calibration> calibration;
  if (options.common.runs_int8()) {
    calibration = calibrate(model.forward, {inputs});
    check_calibration(*calibration);
  }
  const std::vector<Tensor> outputs =
      options.common.eager ? model.forward(inputs)
                           : Plan(model.forward, shapes, nullptr,
                                  options.common.plan_options(model.traits, calibration))(inputs);
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < outputs.size(); ++i) named[model.traits.outputs[i]] = outputs[i];
  write_tensors(options.tensor_out, named, model.traits.token_outputs);
  inform(fmt::format("{} -> {} ({})", options.tensor_in, options.tensor_out, model.description));
  return ExitCode::kDone;
}

/// `cotangent` for the first output, `cotangent_<name>` for the others; those left out are 0.
Tensors cotangents_for(const Traits& traits, const std::map<std::string, Tensor>& given,
                       const std::string& path) {
  Tensors cotangents;
  bool any = false;
  for (std::size_t i = 0; i < traits.outputs.size(); ++i) {
    const auto found = given.find(i == 0 ? "cotangent" : "cotangent_" + traits.outputs[i]);
    any = any || found != given.end();
    cotangents.push_back(found == given.end() ? Tensor() : found->second);
  }
  if (!any) throw InputError(fmt::format("{}: has no tensor 'cotangent' to go back from", path));
  return cotangents;
}

/// The outputs, and the gradients of Σ output·cotangent.
ExitCode run_backward(const RunOptions& options) {
  check_tensor_options(options);
  check_f32(options.common.tiles(), "--backward");
  const TrainableModel model = options.source.load_trainable();
  const std::map<std::string, Tensor> given = read_tensors(options.tensor_in);
  const Tensors inputs = inputs_for(model.traits(), model.description(), given, options.tensor_in);
  const Tensors cotangents = cotangents_for(model.traits(), given, options.tensor_in);
  const NetworkGradients result = options.common.eager
                                      ? gradients_of(model, values_of(model), inputs, cotangents)
                                      : planned_gradients(model, inputs, cotangents);
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < result.outputs.size(); ++i) {
    named[model.traits().outputs[i]] = result.outputs[i];
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (result.inputs[i]) named["grad_" + model.traits().inputs[i]] = result.inputs[i];
  }
  std::map<std::string, StoredTensor> gradients;
  for (std::size_t i = 0; i < result.parameters.size(); ++i) {
    if (!result.parameters[i]) continue;  // the outputs do not depend on it
    const Parameter& parameter = model.parameters()[i];
    const std::string& name = parameter.file_key.empty() ? parameter.key : parameter.file_key;
    gradients["grads/" + name] = to_stored(parameter, result.parameters[i]);
  }
  write_tensors(options.tensor_out, named, model.traits().token_outputs, gradients);
  inform(fmt::format("{} -> {} ({})", options.tensor_in, options.tensor_out, model.description()));
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
      "(`output`, ...); they are neither scaled nor cut into tiles. With --backward the input "
      "file\n"
      "has `cotangent` too, the gradient of a loss with respect to the output (`cotangent_NAME` "
      "for\n"
      "output NAME), and the result `grad_input` and `grads/KEY` for every parameter.\n",
      [options] {
        const bool tensors =
            options->backward || !options->tensor_in.empty() || !options->tensor_out.empty();
        options->common.apply(/*takes_gpu=*/!tensors);
        if (options->backward) return run_backward(*options);
        const Model model = options->source.load();
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
  command->add_flag("--backward", options->backward,
                    "Gradients too, from the cotangents beside the input tensors");
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
