// Channels are the lanes, and a task has a cache line of them: it walks over the pixels three times,
// for means, deviations and the result, all in double. One layer of a network at 1/32 of the
// picture's size has it (CodeFormer), so the long strides cost nothing that shows.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/normalization/adaptive_instance.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalization/cpu_adaptive_instance.cpp"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Calls body(h, w, the numbers from channel c on) for each pixel of image n.
template <class D, class Body>
HWY_INLINE void for_each_pixel(D d, View<const float> x, int n, int c, const Body& body) {
  const hn::Rebind<float, D> narrow;
  for (int h = 0; h < x.shape.h; ++h)
    for (int w = 0; w < x.shape.w; ++w) {
      body(h, w, hn::PromoteTo(d, hn::LoadU(narrow, x.pixel(n, h, w) + c)));
    }
}

template <class D>
struct Statistics {
  hn::Vec<D> mean, deviation;
};

template <class D>
HWY_INLINE Statistics<D> statistics(D d, float eps, View<const float> x, int n, int c) {
  const double count = static_cast<double>(x.shape.h) * x.shape.w;
  auto sum = hn::Zero(d), squares = hn::Zero(d);
  for_each_pixel(d, x, n, c, [&](int, int, hn::Vec<D> value) { sum = hn::Add(sum, value); });
  const auto mean = hn::Div(sum, hn::Set(d, count));
  for_each_pixel(d, x, n, c, [&](int, int, hn::Vec<D> value) {
    const auto distance = hn::Sub(value, mean);
    squares = hn::MulAdd(distance, distance, squares);
  });
  const auto variance = hn::Div(squares, hn::Set(d, count - 1));
  return {mean, hn::Sqrt(hn::Add(variance, hn::Set(d, double{eps})))};
}

template <class D>
HWY_INLINE void normalize(D d, float eps, View<const float> x, View<const float> style,
                          View<float> y, int n, int c) {
  const hn::Rebind<float, D> narrow;
  const Statistics<D> own = statistics(d, eps, x, n, c), lent = statistics(d, eps, style, n, c);
  const auto factor = hn::Div(lent.deviation, own.deviation);
  for_each_pixel(d, x, n, c, [&](int h, int w, hn::Vec<D> value) {
    const auto result = hn::MulAdd(hn::Sub(value, own.mean), factor, lent.mean);
    hn::StoreU(hn::DemoteTo(narrow, result), narrow, y.pixel(n, h, w) + c);
  });
}

/// Channels [first, last) of image n.
void normalize_channels(float eps, View<const float> x, View<const float> style, View<float> y,
                        int n, int first, int last) {
  const hn::ScalableTag<double> d;
  const hn::CappedTag<double, 1> one;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int c = first;
  for (; c + lanes <= last; c += lanes) normalize(d, eps, x, style, y, n, c);
  for (; c < last; ++c) normalize(one, eps, x, style, y, n, c);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(normalize_channels);

void adaptive_instance_norm_simd(float eps, View<const float> x, View<const float> style,
                                 View<float> y) {
  constexpr int kChannels = 16;  // 64 bytes
  const int C = x.shape.c, chunks = (C + kChannels - 1) / kChannels;
  parallel_for(std::int64_t{x.shape.n} * chunks, [&](std::int64_t task, int) {
    const int first = static_cast<int>(task % chunks) * kChannels;
    HWY_DYNAMIC_DISPATCH(normalize_channels)
    (eps, x, style, y, static_cast<int>(task / chunks), first, std::min(first + kChannels, C));
  });
}

}  // namespace mend
#endif
