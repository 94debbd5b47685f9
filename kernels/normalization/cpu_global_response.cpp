// Two passes over x, both bound by memory: squares are summed row by row in double, then each pixel
// is one multiply-add, x · (1 + gamma · share) + beta. Channels are the lanes.
#include <algorithm>
#include <cmath>

#include "engine/parallel.h"
#include "kernels/normalization/global_response.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalization/cpu_global_response.cpp"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// sums[c] += x[c]²
void add_squares(const float* x, double* sums, int channels) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int c = 0;
  for (; c + lanes <= channels; c += lanes) {
    const auto value = hn::PromoteTo(d, hn::LoadU(narrow, x + c));
    hn::StoreU(hn::MulAdd(value, value, hn::LoadU(d, sums + c)), d, sums + c);
  }
  for (; c < channels; ++c) sums[c] += double{x[c]} * x[c];
}

/// sums[c] = Σ x[c]² over row h of image n
void square_row(View<const float> x, int n, int h, double* sums) {
  std::fill_n(sums, x.shape.c, 0.0);
  for (int w = 0; w < x.shape.w; ++w) add_squares(x.pixel(n, h, w), sums, x.shape.c);
}

/// y = x · factor + beta over row h of image n
void scale_row(View<const float> x, const float* factor, const float* beta, View<float> y, int n,
               int h) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d)), channels = x.shape.c;
  for (int w = 0; w < x.shape.w; ++w) {
    const float* from = x.pixel(n, h, w);
    float* to = y.pixel(n, h, w);
    int c = 0;
    for (; c + lanes <= channels; c += lanes) {
      const auto value = hn::LoadU(d, from + c);
      hn::StoreU(hn::MulAdd(value, hn::LoadU(d, factor + c), hn::LoadU(d, beta + c)), d, to + c);
    }
    for (; c < channels; ++c) to[c] = from[c] * factor[c] + beta[c];
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(square_row);
HWY_EXPORT(scale_row);

void global_response_norm_simd(const op::GlobalResponseNorm& norm, View<const float> x,
                               View<const float> gamma, View<const float> beta, View<float> y,
                               Scratch scratch) {
  const auto [N, H, W, C] = x.shape;
  double* sums = reinterpret_cast<double*>(scratch.data());
  float* factors = reinterpret_cast<float*>(sums + std::int64_t{N} * H * C);
  parallel_for(std::int64_t{N} * H, [&, H = H, C = C](std::int64_t row, int) {
    HWY_DYNAMIC_DISPATCH(square_row)
    (x, static_cast<int>(row / H), static_cast<int>(row % H), sums + row * C);
  });
  for (int n = 0; n < N; ++n) {
    double* total = sums + std::int64_t{n} * H * C;
    double mean = 0;
    for (int c = 0; c < C; ++c) {
      for (int h = 1; h < H; ++h) total[c] += total[std::int64_t{h} * C + c];
      total[c] = std::sqrt(total[c]);
      mean += total[c] / C;
    }
    for (int c = 0; c < C; ++c) {
      const double share = total[c] / (mean + norm.eps);
      factors[std::int64_t{n} * C + c] = static_cast<float>(1 + gamma(0, 0, 0, c) * share);
    }
  }
  parallel_for(std::int64_t{N} * H, [&, H = H, C = C](std::int64_t row, int) {
    const int n = static_cast<int>(row / H);
    HWY_DYNAMIC_DISPATCH(scale_row)
    (x, factors + std::int64_t{n} * C, beta.data, y, n, static_cast<int>(row % H));
  });
}

}  // namespace mend
#endif
