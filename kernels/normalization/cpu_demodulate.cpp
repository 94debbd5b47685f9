// Demodulation reads each weight once and squares it under every image's style: bound by memory for
// one image, as there is in practice.
#include <cmath>

#include "engine/parallel.h"
#include "kernels/normalization/variants.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalization/cpu_demodulate.cpp"
#include "kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

/// Σ (weight[t,c] · style[c])² over `taps` of C numbers each, `stride` apart.
float sum_of_squares(const float* weight, std::int64_t stride, int taps, const float* style,
                     int C) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  for (int t = 0; t < taps; ++t, weight += stride) {
    int c = 0;
    for (; c + lanes <= C; c += lanes) {
      const auto value = hn::Mul(hn::LoadU(d, weight + c), hn::LoadU(d, style + c));
      sum = hn::MulAdd(value, value, sum);
    }
    if (c == C) continue;
    const auto value =
        hn::Mul(load_partial(d, weight + c, C - c), load_partial(d, style + c, C - c));
    sum = hn::MulAdd(value, value, sum);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(sum_of_squares);

void demodulate_simd(const op::Demodulate& op, View<const float> weight, View<const float> style,
                     View<float> y) {
  const auto [K, R, S, C] = weight.shape;
  const int rows = R, taps = S, channels = C, outputs = K;
  parallel_for(std::int64_t{style.shape.n} * outputs, [&](std::int64_t task, int) {
    const int n = static_cast<int>(task / outputs), k = static_cast<int>(task % outputs);
    double sum = op.eps;
    for (int r = 0; r < rows; ++r) {
      sum += HWY_DYNAMIC_DISPATCH(sum_of_squares)(weight.pixel(k, r, 0), weight.w_stride, taps,
                                                  style.pixel(n, 0, 0), channels);
    }
    y(n, 0, 0, k) = static_cast<float>(1 / std::sqrt(sum));
  });
}

}  // namespace mend
#endif
