// Inverted residual blocks in one pass, and as the single steps that a plan would run without it, as NAFNet
// and Restormer have them.
#include "bench/kernels/bench_rungs.h"
#include "engine/plan.h"
#include "kernels/activation/gate.h"
#include "kernels/channels/channels.h"
#include "kernels/inverted_residual/inverted_residual.h"

namespace mend::bench {
namespace {

using Block = op::InvertedResidual;

/// The same as two to four steps: norm with expansion, depthwise convolution, gate, projection.
Network apart(const Block& block, const Shapes& in) {
  std::vector<Tensor> constants;
  for (const Shape& shape : in) constants.push_back(shape.empty() ? Tensor() : filled(shape));
  return [=](const Tensors& inputs) -> Tensors {
    const Tensor normal =
        apply(block.norm, {inputs[0], constants[Block::kGamma], constants[Block::kBeta]});
    const Tensor hidden = apply(block.expand, {normal, constants[Block::kExpandWeight]});
    const Tensor seen = apply(block.depthwise, {hidden, constants[Block::kDepthwiseWeight]});
    const int half = block.gated();
    const Tensor gated = apply(
        op::Gate{block.gate},
        {apply(op::SliceChannels{0, half}, {seen}), apply(op::SliceChannels{half, half}, {seen})});
    if (!block.projects) return {gated};
    return {apply(block.project, {gated, constants[Block::kProjectWeight]})};
  };
}

void add_plan(const std::string& label, const Block& block, const Shapes& in, bool joined) {
  for (const int count : {1, threads()}) {
    const auto time = [=](benchmark::State& state) {
      const int before = threads();
      set_threads(count);
      // A forced rung of the norm keeps the plan from joining it to what follows.
      if (!joined) force_variant("layer_norm", "simd");
      Plan plan(apart(block, in), {in[Block::kX]});
      clear_forced_variants();
      const Tensors inputs = {filled(in[Block::kX])};
      for (auto _ : state) benchmark::DoNotOptimize(plan(inputs));
      set_threads(before);
      state.SetLabel(fmt::format("{} steps", plan.graph().steps.size()));
    };
    benchmark::RegisterBenchmark(
        fmt::format("inverted_residual/{}/{}/f32/t{}", joined ? "joined" : "apart", label, count)
            .c_str(),
        time)
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  }
}

void add(const std::string& label, const Shape& x, int hidden, bool projects) {
  Block block{.norm = {},
              .expand = {.outputs = hidden},
              .depthwise = {.kernel_h = 3,
                            .kernel_w = 3,
                            .padding_h = 1,
                            .padding_w = 1,
                            .groups = hidden,
                            .outputs = hidden},
              .gates = true,
              .projects = projects};
  if (projects) {
    block.gate = {ActivationKind::kGelu};
    block.project.outputs = x.c;
  }
  Shapes in(Block::kSlots);
  in[Block::kX] = x;
  in[Block::kGamma] = in[Block::kBeta] = vector_shape(x.c);
  in[Block::kExpandWeight] = {hidden, 1, 1, x.c};
  in[Block::kDepthwiseWeight] = {hidden, 3, 3, 1};
  if (projects) in[Block::kProjectWeight] = {x.c, 1, 1, hidden / 2};
  add_plan(label, block, in, false);
  add_plan(label, block, in, true);
}

const bool kRegistered = [] {
  add("48to254to48/256x256", {1, 256, 256, 48}, 254, true);
  add("96to510to96/128x128", {1, 128, 128, 96}, 510, true);
  add("192to1020to192/32x32", {1, 32, 32, 192}, 1020, true);
  add("32to64/256x256", {1, 256, 256, 32}, 64, false);
  add("256to512/32x32", {1, 32, 32, 256}, 512, false);
  return true;
}();

}  // namespace
}  // namespace mend::bench
