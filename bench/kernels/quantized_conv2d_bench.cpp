// Every rung of quantized_conv2d on layers of real networks, 8 bits in and out. In turn with f32:
//
//   mend_bench_kernels --benchmark_filter='(conv2d/winograd6)/64to64_k3s1/256x256.*t1'
//                      --benchmark_enable_random_interleaving=true --benchmark_repetitions=9
//
// names: rung/CtoK_k3s1/WxH/i8/tTHREADS; FLOP/s of the formula (a product and its sum are 2).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "engine/parallel.h"
#include "engine/quantization.h"
#include "kernels/quantized_conv2d/variant.h"

namespace mend {
namespace {

struct Layer {
  const char* network;  ///< where it comes from
  int C, K, side;
};

constexpr Layer kLayers[] = {
    {"srvgg, dncnn, rrdbnet body", 64, 64, 256},
    {"srvgg x4: to pixel shuffle", 64, 48, 256},
    {"rrdbnet dense block, conv4", 160, 32, 128},
    {"rrdbnet dense block, conv5", 192, 64, 128},
    {"edsr body", 256, 256, 64},
};

using Op = op::QuantizedConv2d;

/// One layer made ready for one rung.
struct Run {
  Run(const Layer& layer, const QuantizedConv2dVariant& rung, int side, bool quantizes_output)
      : inputs(Op::kSlots) {
    op.conv.kernel_h = op.conv.kernel_w = 3;
    op.conv.padding_h = op.conv.padding_w = 1;
    op.conv.outputs = layer.K;
    op.conv.activation = {ActivationKind::kPrelu};
    op.quantizes_output = quantizes_output;
    op.variant = &rung;
    std::mt19937 generator(1);
    const float bound = 1.7f / std::sqrt(9.0f * static_cast<float>(layer.C));
    std::uniform_real_distribution<float> weights(-bound, bound);
    std::uniform_int_distribution<int> codes(-128, 127);
    inputs[Op::kX] = Tensor::empty({1, side, side, layer.C}, DType::kI8);
    std::generate_n(inputs[Op::kX].view<std::int8_t>().data, inputs[Op::kX].shape().elements(),
                    [&] { return static_cast<std::int8_t>(codes(generator)); });
    inputs[Op::kWeight] = Tensor::empty({layer.K, 3, 3, layer.C});
    std::generate_n(inputs[Op::kWeight].view<float>().data, inputs[Op::kWeight].shape().elements(),
                    [&] { return weights(generator); });
    inputs[Op::kBias] = Tensor::full(vector_shape(layer.K), 0.1f);
    inputs[Op::kSlope] = Tensor::full(vector_shape(layer.K), 0.2f);
    inputs[Op::kCodeX] = code_of(layer.C);
    inputs[Op::kCodeY] = code_of(layer.K);
    if (rung.kernel.pack != nullptr) {
      inputs[Op::kWeight] =
          apply(op::PackQuantizedConv2dWeight{op}, {inputs[Op::kWeight], inputs[Op::kCodeX]});
    }
    const Shapes in = shapes_of(inputs);
    y = Tensor::zeros(op.shape(in), op.dtype());
    scratch = Tensor::zeros({1, 1, 1, static_cast<int>(op.scratch_bytes(in) / 4) + 1});
  }

  static Tensor code_of(int channels) {
    const Tensor code = Tensor::empty(code_shape(channels));
    for (int c = 0; c < channels; ++c) set_code(code.view<float>(), c, -1, 2);
    return code;
  }

  void operator()() const {
    op.forward(inputs, y, {scratch.storage()->data(), scratch.storage()->bytes()});
  }

  Op op;
  std::vector<Tensor> inputs;
  Tensor y, scratch;
};

/// Compares the rung's f32 outputs with the reference's on a small image of the same layer.
bool is_right(const Layer& layer, const QuantizedConv2dVariant& rung) {
  constexpr int kSide = 13;
  const Run run(layer, rung, kSide, false);
  const Run reference(layer, quantized_conv2d_ladder().front(), kSide, false);
  run();
  reference();
  double error = 0, norm = 0;
  for (std::int64_t i = 0; i < run.y.shape().elements(); ++i) {
    const double expected = reference.y.view<float>().data[i];
    error += std::pow(run.y.view<float>().data[i] - expected, 2);
    norm += expected * expected;
  }
  return std::sqrt(error / norm) <= rung.error_within;  // NaN fails
}

void bench(benchmark::State& state, const Layer& layer, const QuantizedConv2dVariant& rung,
           int count) {
  const int before = threads();
  set_threads(count);
  if (!is_right(layer, rung)) state.SkipWithError("differs from the reference");
  const Run run(layer, rung, layer.side, true);
  run();  // touches all memory once
  for ([[maybe_unused]] auto _ : state) run();
  state.SetLabel(layer.network);
  state.counters["FLOP/s"] = benchmark::Counter(run.op.cost(shapes_of(run.inputs)).flops,
                                                benchmark::Counter::kIsIterationInvariantRate);
  set_threads(before);
}

const int registered = [] {
  for (const Layer& layer : kLayers) {
    for (const QuantizedConv2dVariant& rung : quantized_conv2d_ladder()) {
      if (rung.kernel.pack == nullptr) continue;  // the reference takes seconds
      const Run small(layer, rung, 4, true);
      if (!rung.refuses(small.op, shapes_of(small.inputs)).empty()) continue;
      for (const int count : {1, 2}) {
        benchmark::RegisterBenchmark(
            fmt::format("{}/{}to{}_k3s1/{}x{}/i8/t{}", rung.name, layer.C, layer.K, layer.side,
                        layer.side, count)
                .c_str(),
            [=, &layer, &rung](benchmark::State& state) { bench(state, layer, rung, count); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
  return 0;
}();

}  // namespace
}  // namespace mend
