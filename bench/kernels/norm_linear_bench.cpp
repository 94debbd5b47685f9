// A norm and its linear layer together, and one after the other, as SwinIR, Restormer and NAFNet have
// them.
#include "bench/kernels/bench_rungs.h"
#include "kernels/norm_linear/norm_linear.h"

namespace mend::bench {
namespace {

/// The two operations alone, in one plan's manner: weights are packed, nothing is allocated.
void add_separate(const std::string& label, const op::NormLinear& both, const Shapes& in) {
  for (const int count : {1, threads()}) {
    const auto time = [=](benchmark::State& state) {
      const int before = threads();
      set_threads(count);
      std::vector<Tensor> inputs;
      for (const Shape& shape : in) inputs.push_back(shape.empty() ? Tensor() : filled(shape));
      const Tensor normal = Tensor::empty(in[0]), y = Tensor::empty(both.shape(in));
      const op::Conv2d linear =
          both.on(choose(norm_linear_ladder(), both, in, DeviceKind::kCpu)).linear;
      const op::PackConv2dWeight pack{linear};
      const Tensor packed = Tensor::empty(pack.shape({in[1]}));
      pack.forward(std::span(inputs).subspan(1, 1), packed, {});
      const Storage memory(static_cast<std::size_t>(linear.scratch_bytes(in)), y.device());
      for (auto _ : state) {
        both.norm.forward(std::vector<Tensor>{inputs[0], inputs[5], inputs[6]}, normal, {});
        linear.forward(std::vector<Tensor>{normal, packed, inputs[2]}, y,
                       {memory.data(), memory.bytes()});
        benchmark::DoNotOptimize(y.storage()->data());
      }
      set_threads(before);
    };
    benchmark::RegisterBenchmark(fmt::format("norm_linear/apart/{}/f32/t{}", label, count).c_str(),
                                 time)
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  }
}

void add(const std::string& label, const Shape& x, int outputs) {
  op::NormLinear op;
  op.linear.outputs = outputs;
  const Shapes in = {x,  {outputs, 1, 1, x.c}, vector_shape(outputs), {},
                     {}, vector_shape(x.c),    vector_shape(x.c)};
  add_separate(label, op, in);
  register_rungs(
      norm_linear_ladder(), op, label, in,
      [=](const NormLinearKernel& kernel, Inputs inputs, const Tensor& y, Scratch) {
        for (const NormLinearVariant& rung : norm_linear_ladder()) {
          if (rung.kernel.run != kernel.run) continue;
          const op::NormLinear fixed = op.on(rung);
          static thread_local Tensor packed, memory;
          std::vector<Tensor> operands(inputs.begin(), inputs.end());
          if (kernel.packs_weight()) {
            const op::PackConv2dWeight pack{fixed.linear};
            if (packed.shape() != pack.shape({operands[1].shape()})) {
              packed = Tensor::empty(pack.shape({operands[1].shape()}));
              pack.forward(inputs.subspan(1, 1), packed, {});
            }
            operands[1] = packed;
          }
          const std::int64_t bytes = fixed.scratch_bytes(shapes_of(operands));
          if (memory.bytes() < bytes) {
            memory = Tensor::empty({1, 1, 1, static_cast<int>(bytes / 4) + 16});
          }
          fixed.forward(operands, y, {memory.storage()->data(), memory.storage()->bytes()});
        }
      });
}

const bool kRegistered = [] {
  add("60to180/256x256", {1, 256, 256, 60}, 180);
  add("60to180/1024x1024", {1, 1024, 1024, 60}, 180);
  add("180to540/64x64", {1, 64, 64, 180}, 540);
  add("48to144/512x512", {1, 512, 512, 48}, 144);
  add("32to64/512x512", {1, 512, 512, 32}, 64);
  return true;
}();

}  // namespace
}  // namespace mend::bench
