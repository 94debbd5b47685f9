// mend bench: how fast a network runs here, and how fast this machine could be.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "apps/model_source.h"
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
  std::string size;  ///< empty: see size_for
  double min_seconds = 1;
  int min_runs = 5;
  bool layers = false, peak = false;
};

struct Timing {
  std::vector<double> seconds;  // sorted

  double quantile(double q) const {
    return seconds[static_cast<std::size_t>(q * static_cast<double>(seconds.size() - 1) + 0.5)];
  }
};

Tensor synthetic_input(const Shape& shape) {
  Tensor x = Tensor::empty(shape);
  const View<float> view = x.view<float>();
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    view.data[i] = static_cast<float>((i * 2654435761u) % 1000u) / 1000.0f;
  }
  return x;
}

/// Per step the fastest of all runs.
void keep_fastest(std::vector<StepTime>& best, const std::vector<StepTime>& run) {
  if (best.empty()) {
    best = run;
    return;
  }
  for (std::size_t s = 0; s < run.size(); ++s)
    best[s].seconds = std::min(best[s].seconds, run[s].seconds);
}

Timing time_plan(Plan& plan, const BenchOptions& options, std::vector<StepTime>& steps) {
  using Clock = std::chrono::steady_clock;
  plan.run();  // the first run packs weights and touches memory
  Timing timing;
  const Clock::time_point begin = Clock::now();
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  while (static_cast<int>(timing.seconds.size()) < options.min_runs ||
         since(begin) < options.min_seconds) {
    check_cancel();
    const Clock::time_point start = Clock::now();
    const std::vector<StepTime> run = plan.run_timed();
    timing.seconds.push_back(since(start));
    keep_fastest(steps, run);
  }
  std::sort(timing.seconds.begin(), timing.seconds.end());
  return timing;
}

double resident_peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0 * 1.048576;
}

void print_layers(const Plan& plan, const std::vector<StepTime>& times, double peak) {
  std::puts(fmt::format("{:<34} {:<58} {:>9} {:>9} {:>7} {:>7}", "layer", "operation", "ms",
                        "GFLOP/s", "of peak", "GB/s")
                .c_str());
  for (std::size_t s = 0; s < times.size(); ++s) {
    const Step& step = plan.graph().steps[s];
    const Cost cost = step.op.cost(plan.graph().shapes(step.inputs));
    const double seconds = std::max(times[s].seconds, 1e-9);
    std::puts(fmt::format("{:<34} {:<58} {:>9.3f} {:>9.1f} {:>6.0f}% {:>7.1f}", step.label,
                          fmt::format("{} {}", step.op.name(), step.op.describe()), 1e3 * seconds,
                          cost.flops / seconds / 1e9, 100 * cost.flops / seconds / peak,
                          cost.bytes / seconds / 1e9)
                  .c_str());
  }
}

ExitCode bench_network(const BenchOptions& options) {
  const Model model = options.source.load();
  const PictureSize size = size_for(model, options.size);
  const Shapes shapes = input_shapes(model, size.height, size.width);
  Plan plan(model.forward, shapes);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    plan.set_input(static_cast<int>(i), synthetic_input(shapes[i]));
  }
  std::vector<StepTime> steps;
  const Timing timing = time_plan(plan, options, steps);
  const double median = timing.quantile(0.5);
  const double peak = measure_fma_peak(threads());
  const double flops = plan.cost().flops / median;
  if (options.common.json) {
    const Json line = {{"network", model.description},
                       {"size", to_string(size)},
                       {"threads", threads()},
                       {"runs", timing.seconds.size()},
                       {"median_ms", 1e3 * median},
                       {"p10_ms", 1e3 * timing.quantile(0.1)},
                       {"p90_ms", 1e3 * timing.quantile(0.9)},
                       {"min_ms", 1e3 * timing.seconds.front()},
                       {"gflops", flops / 1e9},
                       {"of_peak", flops / peak},
                       {"peak_gflops", peak / 1e9},
                       {"arena_mb", static_cast<double>(plan.arena_bytes()) / 1e6},
                       {"peak_rss_mb", resident_peak_mb()}};
    std::puts(line.dump().c_str());
    return ExitCode::kDone;
  }
  if (options.layers) print_layers(plan, steps, peak);
  std::puts(
      fmt::format("{} at {}, {} thread{}: median {:.2f} ms (10% {:.2f}, 90% {:.2f}, {} runs), "
                  "{:.1f} GFLOP/s, {:.0f}% of the FMA peak of {:.0f}",
                  model.description, to_string(size), threads(), threads() == 1 ? "" : "s",
                  1e3 * median, 1e3 * timing.quantile(0.1), 1e3 * timing.quantile(0.9),
                  timing.seconds.size(), flops / 1e9, 100 * flops / peak, peak / 1e9)
          .c_str());
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
  CLI::App* command =
      program.add("bench", "Time a network, or the machine",
                  "  mend bench RealESRGAN_x4plus.pth --size 128x128 --threads 1 --layers\n"
                  "  mend bench --peak\n",
                  [options] {
                    options->common.apply();
                    if (options->peak) return bench_peak(*options);
                    if (options->source.weights.empty()) {
                      throw UsageError("say what to time: a checkpoint, or --peak");
                    }
                    return bench_network(*options);
                  });
  command->add_option("checkpoint", options->source.weights, "The network's weights")
      ->type_name("CHECKPOINT");
  command->add_option("--size", options->size,
                      "Of the input picture: WIDTHxHEIGHT; 256x256 by default, or what the network "
                      "takes if that is one size alone");
  command->add_option("--min-time", options->min_seconds, "Seconds to measure at least")
      ->capture_default_str();
  command->add_option("--min-runs", options->min_runs, "Runs to measure at least")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  command->add_flag("--layers", options->layers, "Time every step of the plan");
  command->add_flag("--peak", options->peak, "Measure the machine: FMA peak and memory bandwidth");
  options->source.add_config_to(*command);
  options->common.add_to(*command);
}

}  // namespace mend
