// mend bench: how fast a network runs here, and how fast this machine could be.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <memory>

#include "apps/bench_compare.h"
#include "apps/bench_precision.h"
#include "apps/bench_report.h"
#include "apps/model_source.h"
#include "apps/process_memory.h"
#include "apps/program.h"
#include "apps/size_option.h"
#include "engine/cancel.h"
#include "engine/parallel.h"
#include "kernels/peak.h"

namespace mend {
namespace {

struct BenchOptions {
  CommonOptions common;
  ModelSource source;
  std::string size;     ///< empty: see size_for
  std::string picture;  ///< see PrecisionBench
  double min_seconds = 1;
  int min_runs = 5;
  bool layers = false, peak = false;
  std::vector<std::string> compare;  ///< two files
};

/// Of one call of `work`.
template <class Work>
double seconds_of(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Times the plan whole, and each of its layers; on a GPU those only where they are asked for, by runs of their
/// own, since each is waited for then.
void time_plan(Plan& plan, const BenchOptions& options, NetworkBench& bench) {
  const bool on_gpu = plan.device().kind() != DeviceKind::kCpu;
  plan.run();  // the first run packs weights and touches memory
  if (on_gpu) {
    plan.run();  // the second makes the graph
    bench.device = plan.device().name();
    bench.launches = launches_of(plan);
  }
  std::vector<std::size_t> steps;
  bench.layers = layers_of(plan, steps);
  double spent = 0;
  while (static_cast<int>(bench.timing.runs()) < options.min_runs || spent < options.min_seconds) {
    check_cancel();
    std::vector<StepTime> run;
    double seconds = 0;
    if (on_gpu) {
      seconds = seconds_of([&] {
        plan.run();
        plan.device().synchronize();
      });
      if (options.layers) run = plan.run_timed();
    } else {
      seconds = seconds_of([&] { run = plan.run_timed(); });
    }
    bench.timing.add(seconds);
    spent += seconds;
    if (run.empty()) continue;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      bench.layers[i].timing.add(run[steps[i]].seconds);
    }
  }
}

ExitCode bench_network(const BenchOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const Model model = options.source.load_or_make_up();
  const std::chrono::duration<double> load = std::chrono::steady_clock::now() - start;
  const Precision precision = precision_named(options.common.precision);
  const bool on_gpu = options.common.chosen_device().kind() != DeviceKind::kCpu;
  if (!on_gpu && (precision == Precision::kInt8 || (is_narrow(precision) && !options.layers))) {
    bench_precision(model, {precision, options.size, options.picture, options.min_seconds,
                            options.min_runs, options.common.json});
    return ExitCode::kDone;
  }
  const PictureSize size = size_for(model, options.size);
  const Shapes shapes = input_shapes(model, size.height, size.width);
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) inputs.push_back(synthetic_input(shape));
  std::optional<Calibration> calibration;
  if (precision == Precision::kInt8) {
    calibration = calibrate(model.forward, {inputs});
    check_calibration(*calibration);
  }
  Plan plan(model.forward, shapes, nullptr, options.common.plan_options(model.traits, calibration));
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    plan.set_input(static_cast<int>(i), inputs[i]);
  }
  NetworkBench bench;
  bench.network = model.description;
  bench.size = to_string(size);
  bench.made_up = model.made_up;
  bench.threads = threads();
  bench.load_seconds = load.count();
  bench.cost = {plan.cost().flops, plan.graph().cost().bytes};
  bench.arena_bytes = plan.arena_bytes();
  time_plan(plan, options, bench);
  if (!on_gpu) bench.fma_peak = measure_fma_peak(threads());
  bench.peak_rss_mb = static_cast<double>(peak_resident_bytes()) / 1e6;
  if (options.common.json) {
    std::puts(to_json(bench, options.layers).dump().c_str());
    return ExitCode::kDone;
  }
  if (options.layers) print_layers(bench);
  print_summary(bench);
  return ExitCode::kDone;
}

ExitCode bench_peak(const BenchOptions& options) {
  const double fma = measure_fma_peak(threads()), memory = measure_stream_peak(threads());
  if (options.common.json) {
    std::puts(Json{{"threads", threads()}, {"fma_gflops", fma / 1e9}, {"memory_gbs", memory / 1e9}}
                  .dump()
                  .c_str());
  } else {
    std::puts(fmt::format("{} thread{}: FMA peak {:.0f} GFLOP/s, memory {:.1f} GB/s", threads(),
                          threads() == 1 ? "" : "s", fma / 1e9, memory / 1e9)
                  .c_str());
  }
  return ExitCode::kDone;
}

}  // namespace

void add_bench(Program& program) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* command = program.add(
      "bench", "Time a network, or the machine",
      "  mend bench RealESRGAN_x4plus.pth --size 128x128 --threads 1 --layers\n"
      "  mend bench restormer --json >> new.json    by its shapes, without a file\n"
      "  mend bench realesr-general-x4v3.pth --precision int8 --picture photo.png\n"
      "  mend bench realesr-general-x4v3.pth --precision f16    beside f32, in turn\n"
      "  mend bench restormer --device cuda --cuda-graph off    launch by launch\n"
      "  mend bench --compare old.json new.json\n"
      "  mend bench --peak\n",
      [options] {
        options->common.apply(/*takes_gpu=*/options->compare.empty() && !options->peak);
        if (!options->compare.empty()) {
          if (!options->source.weights.empty() || options->peak) {
            throw UsageError("--compare reads two files and times nothing");
          }
          compare_benches(options->compare[0], options->compare[1], options->common.json);
          return ExitCode::kDone;
        }
        if (options->peak) return bench_peak(*options);
        if (options->source.weights.empty()) {
          throw UsageError("say what to time: a checkpoint or a network's name, or --peak");
        }
        return bench_network(*options);
      });
  command
      ->add_option("checkpoint", options->source.weights,
                   "The network's weights, or the name of a network or configuration that `mend "
                   "models` lists: parameters are made up then")
      ->type_name("CHECKPOINT|NAME");
  command->add_option("--size", options->size,
                      "Of the input picture: WIDTHxHEIGHT; 256x256 by default, or what the network "
                      "takes if that is one size alone");
  command
      ->add_option("--picture", options->picture,
                   "With --precision: a picture whose middle the network sees, for the PSNR")
      ->type_name("FILE");
  command->add_option("--min-time", options->min_seconds, "Seconds to measure at least")
      ->capture_default_str();
  command->add_option("--min-runs", options->min_runs, "Runs to measure at least")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  command->add_flag("--layers", options->layers,
                    "Every step of the plan: times, rates, which rung runs and why not another");
  command
      ->add_option(
          "--compare", options->compare,
          "Files of --json lines, old and new: medians, their ratio, and what is slower by "
          "more than the spread")
      ->expected(2)
      ->type_name("OLD NEW");
  command->add_flag("--peak", options->peak, "Measure the machine: FMA peak and memory bandwidth");
  options->source.add_config_to(*command);
  options->common.add_to(*command);
}

}  // namespace mend
