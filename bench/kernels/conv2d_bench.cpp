// Every rung of conv2d on layers of real networks:
//
//   mend_bench_kernels --benchmark_filter=64to64_k3s1/256x256
//
// names: rung/CtoK_kRsSTRIDE[gGROUPS]/WxH/TYPE/tTHREADS; counters: FLOP/s of the formula (an FMA is 2),
// and of_peak, their part of the FMA peak measured in the same run (Winograd may exceed 1); depthwise, also of_copy: the
// time of copying x to y over the layer's.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <random>
#include <vector>

#include "bench/kernels/copy_speed.h"
#include "engine/parallel.h"
#include "kernels/conv2d/variant.h"
#include "kernels/convert/convert.h"
#include "kernels/peak.h"

namespace mend {
namespace {

struct Layer {
  const char* network;  ///< where it comes from
  int C, K, kernel, stride, groups, side;
};

// clang-format off
constexpr Layer kLayers[] = {
    {"srvgg, dncnn, rrdbnet body",     64,  64, 3, 1,  1, 256},
    {"any first layer",                 3,  64, 3, 1,  1, 256},
    {"any last layer",                 64,   3, 3, 1,  1, 256},
    {"srvgg x4: to pixel shuffle",     64,  48, 3, 1,  1, 256},
    {"rrdbnet dense block, conv1",     64,  32, 3, 1,  1, 128},
    {"rrdbnet dense block, conv4",    160,  32, 3, 1,  1, 128},
    {"rrdbnet dense block, conv5",    192,  64, 3, 1,  1, 128},
    {"edsr: to pixel shuffle",         64, 256, 3, 1,  1, 128},
    {"drunet, coarsest level",        512, 512, 3, 1,  1,  32},
    {"unet, down",                     64, 128, 2, 2,  1, 128},
    {"fsrcnn mapping",                 12,  12, 3, 1,  1, 256},
    {"fsrcnn shrinking",               56,  12, 1, 1,  1, 256},
    {"swinir-light body",              60,  60, 3, 1,  1, 128},
    {"nafnet 1x1",                     64, 128, 1, 1,  1, 256},
    {"nafnet, deepest level 1x1",     256, 512, 1, 1,  1,  32},
    {"nafnet, restormer depthwise",    64,  64, 3, 1, 64, 256},
    {"nafnet depthwise, level 2",     256, 256, 3, 1, 256, 64},
    {"nafnet depthwise, level 3",     512, 512, 3, 1, 512, 32},
    {"depthwise in L2",                64,  64, 3, 1, 64, 32},
};
// clang-format on

op::Conv2d conv_of(const Layer& layer) {
  op::Conv2d op;
  op.kernel_h = op.kernel_w = layer.kernel;
  op.stride = layer.stride;
  op.padding_h = op.padding_w = layer.stride == 1 ? layer.kernel / 2 : 0;
  op.groups = layer.groups;
  op.outputs = layer.K;
  return op;
}

Tensor random_tensor(const Shape& shape, unsigned seed, float bound) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-bound, bound);
  const Tensor tensor = Tensor::empty(shape);
  std::generate_n(tensor.view<float>().data, shape.elements(), [&] { return uniform(generator); });
  return tensor;
}

Tensor in_type(const Tensor& x, DType type) {
  if (x.dtype() == type) return x;
  return mend::apply(op::Convert{x.dtype(), type}, {x});
}

/// One layer on images of `type` made ready for one rung.
struct Run {
  Run(const Layer& layer, const Conv2dVariant& rung, int side, DType type) : op(conv_of(layer)) {
    op.variant = &rung;
    op.type = type;
    const int C = layer.C / layer.groups;
    const float bound = 1.7f / std::sqrt(static_cast<float>(layer.kernel * layer.kernel * C));
    inputs = {in_type(random_tensor({1, side, side, layer.C}, 1, 1), type),
              random_tensor({layer.K, layer.kernel, layer.kernel, C}, 2, bound),
              random_tensor(vector_shape(layer.K), 3, 1)};
    if (rung.kernel.pack != nullptr) {
      inputs[op::Conv2d::kWeight] = apply(op::PackConv2dWeight{op}, {inputs[op::Conv2d::kWeight]});
    }
    const Shapes in = shapes_of(inputs);
    y = Tensor::zeros(op.shape(in), type);
    scratch = Tensor::zeros({1, 1, 1, static_cast<int>(op.scratch_bytes(in) / 4) + 1});
  }

  void operator()() const {
    op.forward(inputs, y, {scratch.storage()->data(), scratch.storage()->bytes()});
  }
  double flops() const { return op.cost(shapes_of(inputs)).flops; }

  op::Conv2d op;
  std::vector<Tensor> inputs;
  Tensor y, scratch;
};

/// Compares the rung with the reference on a small image of the same layer.
bool is_right(const Layer& layer, const Conv2dVariant& rung, DType type) {
  constexpr int kSide = 13;
  const Run run(layer, rung, kSide, type),
      reference(layer, conv2d_ladder().front(), kSide, DType::kF32);
  run();
  reference();
  const Tensor y = in_type(run.y, DType::kF32);
  double error = 0, norm = 0;
  for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
    const double expected = reference.y.view<float>().data[i];
    error += std::pow(y.view<float>().data[i] - expected, 2);
    norm += expected * expected;
  }
  // x and y are rounded once each.
  const double rounding = type == DType::kF32 ? 0 : type == DType::kF16 ? 0x1p-10 : 0x1p-7;
  return std::sqrt(error / norm) <= rung.error_within + rounding;  // NaN fails
}

double peak_of(int threads) {
  static std::map<int, double> measured;
  if (!measured.contains(threads)) measured[threads] = measure_fma_peak(threads);
  return measured[threads];
}

void bench(benchmark::State& state, const Layer& layer, const Conv2dVariant& rung, DType type,
           int threads) {
  const int before = mend::threads();
  set_threads(threads);
  if (!is_right(layer, rung, type)) {
    state.SkipWithError("differs from the reference");
  }
  const Run run(layer, rung, layer.side, type);
  run();  // touches all memory once
  const auto start = std::chrono::steady_clock::now();
  for ([[maybe_unused]] auto _ : state) run();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  const double flops = run.flops() * static_cast<double>(state.iterations()) / elapsed.count();
  state.SetLabel(layer.network);
  state.counters["FLOP/s"] = flops;
  state.counters["of_peak"] = flops / peak_of(threads);
  if (layer.groups == layer.C)
    state.counters["of_copy"] = bench::of_copy(run, run.inputs[0], run.y);
  set_threads(before);
}

std::string name_of(const Layer& layer, const Conv2dVariant& rung, DType type, int threads) {
  const std::string groups = layer.groups == 1 ? "" : fmt::format("g{}", layer.groups);
  return fmt::format("{}/{}to{}_k{}s{}{}/{}x{}/{}/t{}", rung.name, layer.C, layer.K, layer.kernel,
                     layer.stride, groups, layer.side, layer.side, mend::name_of(type), threads);
}

const int registered = [] {
  for (const Layer& layer : kLayers) {
    const op::Conv2d op = conv_of(layer);
    for (const Conv2dVariant& rung : conv2d_ladder()) {
      const Shape x{1, layer.side, layer.side, layer.C};
      const Shape weight{layer.K, layer.kernel, layer.kernel, layer.C / layer.groups};
      if (rung.device != DeviceKind::kCpu || !rung.refuses(op, {x, weight}).empty()) continue;
      // The reference takes seconds; one small image shows how far the others are from it.
      if (rung.seconds == slowest<op::Conv2d> && (layer.side > 64 || layer.C > 64)) continue;
      for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
        if (type != DType::kF32 && !rung.kernel.runs_narrow()) continue;
        for (const int threads : {1, 2}) {
          benchmark::RegisterBenchmark(name_of(layer, rung, type, threads).c_str(),
                                       [=, &layer, &rung](benchmark::State& state) {
                                         bench(state, layer, rung, type, threads);
                                       })
              ->UseRealTime()
              ->Unit(benchmark::kMillisecond);
        }
      }
    }
  }
  return 0;
}();

}  // namespace
}  // namespace mend
