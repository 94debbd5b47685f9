#include "kernels/normalization/adaptive_instance.h"

#include <cassert>
#include <cmath>

#include "kernels/cuda/memory_seconds.h"

namespace mend {
namespace {

double seconds(const op::AdaptiveInstanceNorm& norm, const Shapes& in) {
  return norm.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::AdaptiveInstanceNorm, AdaptiveInstanceNormKernel> kLadder[] = {
    {"adaptive_instance_norm/reference", DeviceKind::kCpu, never_refuses, slowest, 0, adaptive_instance_norm_reference},
    {"adaptive_instance_norm/simd", DeviceKind::kCpu, never_refuses, seconds, 1e-6, adaptive_instance_norm_simd},
#ifdef MEND_HAS_CUDA
    {"adaptive_instance_norm/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6, adaptive_instance_norm_cuda},
#endif
};
// clang-format on

struct Statistics {
  double mean, deviation;
};

Statistics statistics(float eps, View<const float> x, int n, int c) {
  const int H = x.shape.h, W = x.shape.w;
  const double count = static_cast<double>(H) * W;
  double sum = 0, squares = 0;
  for (int h = 0; h < H; ++h)
    for (int w = 0; w < W; ++w) sum += x(n, h, w, c);
  const double mean = sum / count;
  for (int h = 0; h < H; ++h)
    for (int w = 0; w < W; ++w) squares += (x(n, h, w, c) - mean) * (x(n, h, w, c) - mean);
  return {mean, std::sqrt(squares / (count - 1) + eps)};
}

}  // namespace

std::span<const Variant<op::AdaptiveInstanceNorm, AdaptiveInstanceNormKernel>>
adaptive_instance_norm_ladder() {
  return kLadder;
}

void adaptive_instance_norm_reference(float eps, View<const float> x, View<const float> style,
                                      View<float> y) {
  const auto [N, H, W, C] = x.shape;
  for (int n = 0; n < N; ++n)
    for (int c = 0; c < C; ++c) {
      const Statistics own = statistics(eps, x, n, c), lent = statistics(eps, style, n, c);
      for (int h = 0; h < H; ++h)
        for (int w = 0; w < W; ++w) {
          const double standard = (x(n, h, w, c) - own.mean) / own.deviation;
          y(n, h, w, c) = static_cast<float>(standard * lent.deviation + lent.mean);
        }
    }
}

namespace op {

Shape AdaptiveInstanceNorm::shape(const Shapes& in) const {
  assert(in.size() == 2);
  const Shape &x = in[kX], &style = in[kStyle];
  if (x.n != style.n || x.c != style.c) {
    throw ShapeError(fmt::format(
        "adaptive_instance_norm: style is {}, but x is {}; images and channels must agree",
        to_string(style), to_string(x)));
  }
  if (std::int64_t{x.h} * x.w < 2 || std::int64_t{style.h} * style.w < 2) {
    throw ShapeError(fmt::format(
        "adaptive_instance_norm: x {} and style {} need two pixels or more to have a deviation",
        to_string(x), to_string(style)));
  }
  return x;
}

Cost AdaptiveInstanceNorm::cost(const Shapes& in) const {
  const double x = static_cast<double>(in[kX].elements());
  const double style = static_cast<double>(in[kStyle].elements());
  return {6 * x + 4 * style, sizeof(float) * (2 * x + style)};
}

Footprint AdaptiveInstanceNorm::footprint(const Shapes&) const { return {.global = true}; }

std::string AdaptiveInstanceNorm::describe() const { return fmt::format("eps {}", eps); }

void AdaptiveInstanceNorm::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung =
      choose(adaptive_instance_norm_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(eps, inputs[kX].view<const float>(), inputs[kStyle].view<const float>(),
              y.view<float>());
}

}  // namespace op
}  // namespace mend
