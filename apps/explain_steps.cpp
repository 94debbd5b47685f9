#include "apps/explain_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "engine/plan.h"

namespace mend {
namespace {

/// A step on a picture that is not cut into tiles.
struct StepCost {
  PictureSize from, seen, to;
  double flops = 0;
  std::int64_t network_bytes = 0;  ///< arena and constants
  std::int64_t picture_bytes = 0;  ///< the picture before and after, in f32 RGB
  std::int64_t bytes() const { return network_bytes + picture_bytes; }
};

StepCost cost_of(const ChainStep& step, PictureSize from) {
  StepCost cost;
  cost.from = from;
  const int scale = output_scale(step.model, step.options);
  cost.to = {from.width * scale, from.height * scale};
  const bool enlarged_first = step.model.traits.enlarge_first != 1;
  cost.seen = seen_size(step.model, enlarged_first ? cost.to : from);
  const Plan plan(step.model.forward, input_shapes(step.model, cost.seen.height, cost.seen.width));
  cost.flops = plan.cost().flops;
  cost.network_bytes = plan.arena_bytes() + plan.constant_bytes();
  const auto picture = [](PictureSize size) { return std::int64_t{12} * size.width * size.height; };
  cost.picture_bytes = picture(cost.from) + picture(cost.to);
  return cost;
}

}  // namespace

void explain_steps(const std::vector<ChainStep>& steps, PictureSize size, bool json) {
  double flops = 0;
  std::int64_t peak_bytes = 0;
  Json list = Json::array();
  if (!json) {
    std::puts(fmt::format("{:<10} {:<12} {:<12} {:<12} {:>10} {:>10}  {}", "step", "picture",
                          "network sees", "result", "GFLOP", "MB", "network")
                  .c_str());
  }
  for (const ChainStep& step : steps) {
    const StepCost cost = cost_of(step, size);
    size = cost.to;
    flops += cost.flops;
    peak_bytes = std::max(peak_bytes, cost.bytes());
    if (json) {
      list.push_back({{"task", step.task},
                      {"network", step.model.description},
                      {"width", cost.to.width},
                      {"height", cost.to.height},
                      {"flops", cost.flops},
                      {"memory_bytes", cost.bytes()}});
      continue;
    }
    std::puts(fmt::format("{:<10} {:<12} {:<12} {:<12} {:>10.2f} {:>10.1f}  {}", step.task,
                          to_string(cost.from), to_string(cost.seen), to_string(cost.to),
                          cost.flops / 1e9, static_cast<double>(cost.bytes()) / 1e6,
                          step.model.description)
                  .c_str());
  }
  if (json) {
    const Json line = {{"steps", list}, {"flops", flops}, {"peak_memory_bytes", peak_bytes}};
    std::puts(line.dump().c_str());
    return;
  }
  std::puts(fmt::format("{:<10} {:<12} {:<12} {:<12} {:>10.2f} {:>10.1f}  {}", "all", "", "",
                        to_string(size), flops / 1e9, static_cast<double>(peak_bytes) / 1e6,
                        "at most at once; less in tiles")
                .c_str());
}

}  // namespace mend
