// mend explain: what a network will do and take, before it does it.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include "apps/explain_steps.h"
#include "apps/model_source.h"
#include "apps/process_memory.h"
#include "apps/program.h"
#include "apps/size_option.h"
#include "apps/steps.h"

namespace mend {
namespace {

struct ExplainOptions {
  CommonOptions common;
  ModelSource source;
  StepsOption steps;
  std::string size;  ///< empty: see size_for
  bool traced = false;
};

std::string list_shapes(const Shapes& shapes) {
  std::string text;
  for (const Shape& shape : shapes) {
    if (!shape.empty()) text += (text.empty() ? "" : " ") + to_string(shape);
  }
  return text;
}

void print_steps(const Graph& graph) {
  std::puts(fmt::format("{:>4}  {:<34} {:<18} {:<54} {:>20} {:>4} {:>9} {:>8}", "step", "layer",
                        "operation", "parameters", "output", "type", "MFLOP", "MB")
                .c_str());
  int number = 0;
  for (const Step& step : graph.steps) {
    const Shapes in = graph.shapes(step.inputs);
    const Cost cost = step.op.cost(in);
    std::puts(fmt::format("{:>4}  {:<34} {:<18} {:<54} {:>20} {:>4} {:>9.1f} {:>8.2f}", number++,
                          step.label, step.op.name(), step.op.describe(),
                          to_string(graph.values[step.output].shape),
                          name_of(graph.values[step.output].dtype), cost.flops / 1e6,
                          cost.bytes / 1e6)
                  .c_str());
  }
}

std::string receptive_field(const Footprint& footprint) {
  if (footprint.global) return "the whole image";
  return fmt::format("{} pixels to each side", static_cast<int>(std::ceil(footprint.radius)));
}

std::string precision_of(const Graph& graph) {
  std::map<DType, std::size_t> readers;  // by the type of input 0
  for (const Step& step : graph.steps) {
    if (step.inputs.empty() || step.inputs[0] == kNoValue) continue;
    ++readers[graph.values[step.inputs[0]].dtype];
  }
  for (const auto& [type, count] : readers) {
    if (type == DType::kF32) continue;
    return fmt::format("{} of {} steps read {}, the others f32", count, graph.steps.size(),
                       type == DType::kI8 ? "8-bit integers" : name_of(type));
  }
  return "f32";
}

void print_summary(const Model& model, const Plan& plan, const Shapes& inputs, bool records) {
  const Footprint footprint = plan.footprint();
  const Cost cost = plan.cost();
  const double megapixels = static_cast<double>(inputs[0].pixels()) / 1e6;
  std::string tasks;
  for (const std::string& task : model.traits.tasks) tasks += (tasks.empty() ? "" : ", ") + task;
  const auto line = [](const char* what, const std::string& value) {
    std::puts(fmt::format("{:<18} {}", what, value).c_str());
  };
  line("network", model.description);
  line("tasks", tasks);
  line("parameters", fmt::format("{}", model.parameters));
  line("input", list_shapes(inputs));
  line("output", to_string(plan.traced().values[plan.traced().outputs[0]].shape));
  line("precision", precision_of(plan.graph()));
  line("steps", fmt::format("{} traced, {} in the plan", plan.traced().steps.size(),
                            plan.graph().steps.size()));
  line("arithmetic", fmt::format("{:.2f} GFLOP ({:.1f} GFLOP a megapixel)", cost.flops / 1e9,
                                 cost.flops / 1e9 / megapixels));
  line("traffic", fmt::format("{:.1f} MB at least, layer by layer", cost.bytes / 1e6));
  const bool on_gpu = plan.device().kind() != DeviceKind::kCpu;
  if (on_gpu) {
    line("runs on",
         fmt::format("{}: {}", plan.device().name(),
                     records ? "one CUDA graph, from the second run on" : "launch by launch"));
  }
  line("memory of a run", fmt::format("{:.1f} MB", static_cast<double>(plan.arena_bytes()) / 1e6));
  line("constants", fmt::format("{:.1f} MB", static_cast<double>(plan.constant_bytes()) / 1e6));
  if (!on_gpu) {
    line("peak memory", fmt::format("{:.0f} MB of the process, for a picture in one piece",
                                    static_cast<double>(predicted_peak_bytes(plan)) / 1e6));
  }
  line("sees", receptive_field(footprint));
  line("tiles", std::string(name_of(model.traits.tile_policy)));
  line("tiles start on", fmt::format("multiples of {}", footprint.grid));
}

ExitCode explain(const ExplainOptions& options) {
  options.common.apply(/*takes_gpu=*/options.steps.steps.empty());
  if (!options.steps.steps.empty()) {
    check_f32(options.common.tiles(), "explain --steps");
    if (!options.source.weights.empty()) {
      throw UsageError("give either a checkpoint or --steps");
    }
    const std::string size = options.size.empty() ? "256x256" : options.size;
    explain_steps(options.steps.load(), parse_size(size), options.common.json);
    return ExitCode::kDone;
  }
  if (options.source.weights.empty()) {
    throw UsageError("say what to explain: a checkpoint, or --steps (mend explain --help)");
  }
  const Model model = options.source.load_or_make_up();
  const PictureSize size = size_for(model, options.size);
  const Shapes inputs = input_shapes(model, size.height, size.width);
  std::optional<Calibration> calibration;
  if (options.common.runs_int8()) {
    calibration = nominal_calibration(model.forward, inputs);
    check_calibration(*calibration);
  }
  const Plan plan(model.forward, inputs, nullptr,
                  options.common.plan_options(model.traits, calibration));
  if (options.common.json) {
    Json json = {{"network", model.name},
                 {"hyperparameters", model.hyperparameters},
                 {"parameters", model.parameters},
                 {"flops", plan.cost().flops},
                 {"bytes", plan.cost().bytes},
                 {"arena_bytes", plan.arena_bytes()},
                 {"constant_bytes", plan.constant_bytes()},
                 {"device", plan.device().name()},
                 {"radius", plan.footprint().radius},
                 {"global", plan.footprint().global},
                 {"tile_policy", name_of(model.traits.tile_policy)}};
    if (plan.device().kind() == DeviceKind::kCpu) json["peak_bytes"] = predicted_peak_bytes(plan);
    std::puts(json.dump().c_str());
    return ExitCode::kDone;
  }
  print_steps(options.traced ? plan.traced() : plan.graph());
  std::puts("");
  print_summary(model, plan, inputs, options.common.records());
  return ExitCode::kDone;
}

}  // namespace

void add_explain(Program& program) {
  const auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = program.add(
      "explain", "Show a network's layers, shapes, arithmetic, memory and receptive field",
      "  mend explain RealESRGAN_x4plus.pth --size 1920x1080\n"
      "  mend explain RealESRGAN_x4plus --size 1920x1080    by its shapes, without the file\n"
      "  mend explain net.pth --size 64x64 --traced    before the plan fuses anything\n"
      "  mend explain --steps denoise,upscale -w denoise=dncnn_25.pth -w upscale=net.pth\n",
      [options] { return explain(*options); });
  command
      ->add_option("checkpoint", options->source.weights,
                   "The network's weights, or the name of a network or configuration")
      ->type_name("CHECKPOINT|NAME");
  options->steps.add_to(*command);
  command->add_option("--size", options->size,
                      "Of the input picture: WIDTHxHEIGHT; 256x256 by default, or what the network "
                      "takes if that is one size alone");
  command->add_flag("--traced", options->traced,
                    "Show the operations as the network's code calls them");
  options->source.add_config_to(*command);
  options->common.add_to(*command);
}

}  // namespace mend
