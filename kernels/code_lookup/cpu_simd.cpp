// One by one, each comparison waits for the one before it. Here the largest logit is found first,
// lanes side by side, and then where it stands; the second pass finds the row in L1 and stops early.
#include <algorithm>
#include <limits>

#include "kernels/code_lookup/rungs.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/code_lookup/cpu_simd.cpp"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// The first index of the largest of `count` numbers; -1 if one is NaN.
int first_largest(const float* x, int count) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  auto most = hn::Set(d, -std::numeric_limits<float>::infinity());
  auto nan = hn::IsNaN(most);
  int k = 0;
  for (; k + lanes <= count; k += lanes) {
    const auto value = hn::LoadU(d, x + k);
    most = hn::Max(most, value);
    nan = hn::Or(nan, hn::IsNaN(value));
  }
  if (!hn::AllFalse(d, nan)) return -1;
  float largest = hn::GetLane(hn::MaxOfLanes(d, most));
  for (int tail = k; tail < count; ++tail) {
    if (x[tail] != x[tail]) return -1;
    largest = std::max(largest, x[tail]);
  }
  const auto wanted = hn::Set(d, largest);
  for (int from = 0; from < k; from += lanes) {
    const auto found = hn::FindFirstTrue(d, hn::Eq(hn::LoadU(d, x + from), wanted));
    if (found >= 0) return from + static_cast<int>(found);
  }
  while (x[k] != largest) ++k;
  return k;
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(first_largest);

void code_lookup_simd(View<const float> logits, View<const float> codes, View<float> y) {
  const int channels = y.shape.c;
  for_each_run(logits.shape, [&](const Run& run) {
    for (int w = run.w; w < run.w + run.count; ++w) {
      const int best =
          HWY_DYNAMIC_DISPATCH(first_largest)(logits.pixel(run.n, run.h, w), logits.shape.c);
      float* to = y.pixel(run.n, run.h, w);
      if (best < 0) {
        std::fill_n(to, channels, std::numeric_limits<float>::quiet_NaN());
      } else {
        std::copy_n(codes.pixel(0, 0, best), channels, to);
      }
    }
  });
}

}  // namespace mend
#endif
