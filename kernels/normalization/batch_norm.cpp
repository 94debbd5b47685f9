#include "kernels/normalization/batch_norm.h"

#include <cassert>
#include <cmath>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/inputs.h"

namespace mend {
namespace {

/// Both are bound by memory.
template <class Op>
double memory_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::BatchStatistics, BatchStatisticsKernel> kStatisticsLadder[] = {
    // name                        device            can it?        time            error  entry
    {"batch_statistics/reference", DeviceKind::kCpu, never_refuses, slowest,        0,     batch_statistics_reference},
    {"batch_statistics/simd",      DeviceKind::kCpu, never_refuses, memory_seconds, 1e-6,  batch_statistics_simd},
#ifdef MEND_HAS_CUDA
    {"batch_statistics/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6, batch_statistics_cuda},
#endif
};
constexpr Variant<op::BatchNorm, BatchNormKernel> kNormLadder[] = {
    {"batch_norm/reference",       DeviceKind::kCpu, never_refuses, slowest,        0,     batch_norm_reference},
    {"batch_norm/simd",            DeviceKind::kCpu, never_refuses, memory_seconds, 1e-6,  batch_norm_simd},
#ifdef MEND_HAS_CUDA
    {"batch_norm/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6, batch_norm_cuda},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::BatchStatistics, BatchStatisticsKernel>> batch_statistics_ladder() {
  return kStatisticsLadder;
}
std::span<const Variant<op::BatchNorm, BatchNormKernel>> batch_norm_ladder() { return kNormLadder; }

void batch_statistics_reference(View<const float> x, View<float> y, Scratch) {
  const auto [N, H, W, C] = x.shape;
  const double count = static_cast<double>(x.shape.pixels());
  for (int c = 0; c < C; ++c) {
    double sum = 0, squares = 0;  // squares of the distances from the mean
    for (int n = 0; n < N; ++n)
      for (int h = 0; h < H; ++h)
        for (int w = 0; w < W; ++w) sum += x(n, h, w, c);
    const double mean = sum / count;
    for (int n = 0; n < N; ++n)
      for (int h = 0; h < H; ++h)
        for (int w = 0; w < W; ++w) squares += (x(n, h, w, c) - mean) * (x(n, h, w, c) - mean);
    y(0, 0, 0, c) = static_cast<float>(mean);
    y(0, 0, 1, c) = static_cast<float>(squares / count);
  }
}

void batch_norm_reference(float eps, View<const float> x, View<const float> statistics,
                          View<const float> gamma, View<const float> beta, View<float> y, Scratch) {
  const auto [N, H, W, C] = x.shape;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w)
        for (int c = 0; c < C; ++c) {
          const double mean = statistics(0, 0, 0, c), variance = statistics(0, 0, 1, c);
          const double normal = (x(n, h, w, c) - mean) / std::sqrt(variance + eps);
          y(n, h, w, c) =
              static_cast<float>(normal * (gamma ? gamma.data[c] : 1) + (beta ? beta.data[c] : 0));
        }
}

void update_running_statistics(const Tensor& statistics, std::int64_t pixels, double momentum,
                               const Tensor& mean, const Tensor& variance) {
  const int C = mean.shape().c;
  if (mean.shape() != vector_shape(C) || variance.shape() != mean.shape() ||
      statistics.shape() != Shape{1, 1, 2, C}) {
    throw ShapeError(
        fmt::format("update_running_statistics: statistics {} take a mean and a variance of "
                    "[1,1,1,{}], but they "
                    "are {} and {}",
                    to_string(statistics.shape()), statistics.shape().c, to_string(mean.shape()),
                    to_string(variance.shape())));
  }
  if (pixels < 2) {
    throw ShapeError(fmt::format(
        "update_running_statistics: the batch has {} pixel, and needs two or more for a variance",
        pixels));
  }
  const View<const float> batch = statistics.view<const float>();
  const double unbiased = static_cast<double>(pixels) / static_cast<double>(pixels - 1);
  const auto move = [&](float& running, double towards) {
    running = static_cast<float>((1 - momentum) * running + momentum * towards);
  };
  for (int c = 0; c < C; ++c) {
    move(mean.view<float>().data[c], batch(0, 0, 0, c));
    move(variance.view<float>().data[c], batch(0, 0, 1, c) * unbiased);
  }
}

namespace op {

Shape BatchStatistics::shape(const Shapes& in) const {
  assert(in.size() == 1);
  return {1, 1, 2, in[0].c};
}

Cost BatchStatistics::cost(const Shapes& in) const {
  const double x = static_cast<double>(in[0].elements());
  return {4 * x, sizeof(float) * (x + 2.0 * in[0].c)};
}

Footprint BatchStatistics::footprint(const Shapes&) const { return {.global = true}; }

std::int64_t BatchStatistics::scratch_bytes(const Shapes& in) const {
  return batch_statistics_simd_scratch(in[0]);
}

void BatchStatistics::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(batch_statistics_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(inputs[0].view<const float>(), y.view<float>(), scratch);
}

Shape BatchNorm::shape(const Shapes& in) const {
  assert(in.size() >= 2);
  const Shape& x = in[kX];
  const auto check = [&](std::string_view name, const Shape& is, const Shape& wanted) {
    if (is == wanted) return;
    throw ShapeError(fmt::format("batch_norm: {} is {}, but x {} wants {}", name, to_string(is),
                                 to_string(x), to_string(wanted)));
  };
  const Shape gamma = slot(in, kGamma), beta = slot(in, kBeta);
  check("statistics", in[kStatistics], {1, 1, 2, x.c});
  if (!gamma.empty()) check("gamma", gamma, vector_shape(x.c));
  if (!beta.empty()) check("beta", beta, vector_shape(x.c));
  return x;
}

Cost BatchNorm::cost(const Shapes& in) const {
  const double x = static_cast<double>(in[kX].elements());
  const double vectors =
      static_cast<double>(slot(in, kGamma).elements() + slot(in, kBeta).elements());
  return {3 * x, sizeof(float) * (2 * x + 2.0 * in[kX].c + vectors)};
}

Footprint BatchNorm::footprint(const Shapes&) const { return {}; }

std::string BatchNorm::describe() const { return fmt::format("eps {}", eps); }

std::int64_t BatchNorm::scratch_bytes(const Shapes& in) const {
  return batch_norm_simd_scratch(in[kX]);
}

void BatchNorm::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(batch_norm_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(eps, view_of<float>(inputs, kX), view_of<float>(inputs, kStatistics),
              view_of<float>(inputs, kGamma), view_of<float>(inputs, kBeta), y.view<float>(),
              scratch);
}

}  // namespace op
}  // namespace mend
