#include "apps/bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "kernels/catalogue.h"

namespace mend {
namespace {

/// A reference's modelled time stands for "never", and is not worth a word.
bool is_modelled(const ConsideredRung& rung) { return rung.refusal.empty() && rung.seconds < 1e8; }

double per_second(double amount, const Timing& timing) {
  return amount / std::max(timing.median(), 1e-9);
}

/// FLOP a byte of compulsory traffic.
double intensity(const Cost& cost) { return cost.bytes > 0 ? cost.flops / cost.bytes : 0; }

/// In percent; 0 on a GPU, whose peak nobody measured.
double of_peak(double flops, const NetworkBench& bench) {
  return bench.fma_peak > 0 ? 100 * flops / bench.fma_peak : 0;
}

Json times(const Timing& timing) {
  return {{"median_ms", 1e3 * timing.median()},
          {"p10_ms", 1e3 * timing.quantile(0.1)},
          {"p90_ms", 1e3 * timing.quantile(0.9)},
          {"min_ms", 1e3 * timing.quantile(0)}};
}

Json rates(const Cost& cost, const Timing& timing, double peak) {
  const double flops = per_second(cost.flops, timing);
  Json json = {{"gflops", flops / 1e9},
               {"gbs", per_second(cost.bytes, timing) / 1e9},
               {"flop_per_byte", intensity(cost)}};
  if (peak > 0) json["of_peak"] = flops / peak;
  return json;
}

Json to_json(const LayerBench& layer, double peak) {
  Json json = {{"layer", layer.layer}, {"op", layer.op}, {"parameters", layer.parameters}};
  json.update(times(layer.timing));
  json.update(rates(layer.cost, layer.timing, peak));
  json["variant"] = layer.variant();
  json["rungs"] = Json::array();
  for (const ConsideredRung& rung : layer.rungs) {
    Json entry = {{"name", rung.name}};
    if (is_modelled(rung)) entry["modelled_ms"] = 1e3 * rung.seconds;
    if (!rung.refusal.empty()) entry["refuses"] = rung.refusal;
    json["rungs"].push_back(entry);
  }
  return json;
}

/// "direct 1.73x, depthwise needs one group a channel": modelled times by that of the rung that runs.
std::string runners_up(const LayerBench& layer) {
  double chosen = 0;
  for (const ConsideredRung& rung : layer.rungs) {
    if (rung.chosen) chosen = rung.seconds;
  }
  std::string text;
  for (const ConsideredRung& rung : layer.rungs) {
    if (rung.chosen || (rung.refusal.empty() && !is_modelled(rung))) continue;
    const std::string_view name = rung.name.substr(layer.op.size() + 1);
    text += text.empty() ? "" : "; ";
    text += rung.refusal.empty() ? fmt::format("{} {:.2f}x", name, rung.seconds / chosen)
                                 : fmt::format("{} {}", name, rung.refusal);
  }
  return text;
}

}  // namespace

Tensor synthetic_input(const Shape& shape) {
  Tensor x = Tensor::empty(shape);
  const View<float> view = x.view<float>();
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    view.data[i] = static_cast<float>((i * 2654435761u) % 1000u) / 1000.0f;
  }
  return x;
}

double Timing::quantile(double q) const {
  std::vector<double> sorted = seconds_;
  std::sort(sorted.begin(), sorted.end());
  return sorted.at(static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5));
}

std::string LayerBench::variant() const {
  for (const ConsideredRung& rung : rungs) {
    if (rung.chosen) return std::string(rung.name);
  }
  return {};
}

std::string launches_of(const Plan& plan) {
  if (plan.recording() != nullptr) return plan.recording()->describe();
  return fmt::format("{} steps, launched one by one", plan.graph().steps.size());
}

std::vector<LayerBench> layers_of(const Plan& plan, std::vector<std::size_t>& steps) {
  std::vector<LayerBench> layers;
  const Graph& graph = plan.graph();
  for (std::size_t s = 0; s < graph.steps.size(); ++s) {
    const Step& step = graph.steps[s];
    if (step.op.is_view()) continue;
    const Shapes in = graph.shapes(step.inputs);
    layers.push_back({step.label,
                      std::string(step.op.name()),
                      step.op.describe(),
                      step.op.cost(in),
                      considered_rungs(step.op, in, plan.device().kind()),
                      {}});
    steps.push_back(s);
  }
  return layers;
}

Json to_json(const NetworkBench& bench, bool layers) {
  Json json = {{"network", bench.network}, {"size", bench.size}, {"threads", bench.threads}};
  if (bench.made_up) json["made_up_parameters"] = true;
  json["load_ms"] = 1e3 * bench.load_seconds;
  json["runs"] = bench.timing.runs();
  json.update(times(bench.timing));
  json.update(rates(bench.cost, bench.timing, bench.fma_peak));
  if (bench.fma_peak > 0) json["peak_gflops"] = bench.fma_peak / 1e9;
  if (!bench.launches.empty()) {
    json["device"] = bench.device;
    json["launches"] = bench.launches;
  }
  json["arena_mb"] = static_cast<double>(bench.arena_bytes) / 1e6;
  json["peak_rss_mb"] = bench.peak_rss_mb;
  if (!layers) return json;
  json["layers"] = Json::array();
  for (const LayerBench& layer : bench.layers) {
    json["layers"].push_back(to_json(layer, bench.fma_peak));
  }
  return json;
}

void print_layers(const NetworkBench& bench) {
  std::puts(fmt::format("{:<34} {:<58} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>7}  {:<24} {}",
                        "layer", "operation", "ms", "10%", "90%", "GFLOP/s", "of peak", "GB/s",
                        "FLOP/B", "runs on", "the others (modelled, or why not)")
                .c_str());
  for (const LayerBench& layer : bench.layers) {
    const double flops = per_second(layer.cost.flops, layer.timing);
    std::puts(fmt::format("{:<34} {:<58} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.1f} {:>6.0f}% {:>7.1f} "
                          "{:>7.1f}  {:<24} {}",
                          layer.layer, fmt::format("{} {}", layer.op, layer.parameters),
                          1e3 * layer.timing.median(), 1e3 * layer.timing.quantile(0.1),
                          1e3 * layer.timing.quantile(0.9), flops / 1e9, of_peak(flops, bench),
                          per_second(layer.cost.bytes, layer.timing) / 1e9, intensity(layer.cost),
                          layer.variant(), runners_up(layer))
                  .c_str());
  }
}

void print_summary(const NetworkBench& bench) {
  const double flops = per_second(bench.cost.flops, bench.timing);
  const std::string where =
      bench.launches.empty()
          ? fmt::format("{} thread{}", bench.threads, bench.threads == 1 ? "" : "s")
          : fmt::format("{} ({})", bench.device, bench.launches);
  const std::string of_the_peak = bench.fma_peak > 0
                                      ? fmt::format("{:.0f}% of the FMA peak of {:.0f}, ",
                                                    of_peak(flops, bench), bench.fma_peak / 1e9)
                                      : "";
  std::puts(fmt::format("{}{} at {}, {}: median {:.2f} ms (10% {:.2f}, 90% {:.2f}, {} runs), "
                        "{:.1f} GFLOP/s, {}{:.1f} GB/s, {:.1f} FLOP/B",
                        bench.network, bench.made_up ? " with made-up parameters" : "", bench.size,
                        where, 1e3 * bench.timing.median(), 1e3 * bench.timing.quantile(0.1),
                        1e3 * bench.timing.quantile(0.9), bench.timing.runs(), flops / 1e9,
                        of_the_peak, per_second(bench.cost.bytes, bench.timing) / 1e9,
                        intensity(bench.cost))
                .c_str());
}

}  // namespace mend
