// Whole vectors of channels; limited by reading x. The reciprocals of the scales are found once a row.
#include <cstring>

#include "engine/parallel.h"
#include "engine/quantization.h"
#include "kernels/quantize/rungs.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize/cpu_simd.cpp"
#include "kernels/quantize/quantize-inl.h"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

constexpr int kChunk = 64;

/// `pixels` pixels, the channels [first, first + count) of each, count <= kChunk.
void quantize_channels(const float* x, std::int64_t x_stride, const Quantization& code, int first,
                       int count, int pixels, std::int8_t* q, std::int64_t q_stride) {
  const hn::ScalableTag<float> d;
  const hn::Rebind<std::int8_t, decltype(d)> d8;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));
  HWY_ALIGN float inverse[kChunk] = {}, zero[kChunk] = {};
  for (int c = 0; c < count; ++c) {
    inverse[c] = 1.0f / code.scale[first + c];
    zero[c] = code.zero[first + c];
  }
  x += first;
  q += first;
  for (int p = 0; p < pixels; ++p, x += x_stride, q += q_stride) {
    int c = 0;
    for (; c + kLanes <= count; c += kLanes) {
      const auto bytes =
          to_int8(d, hn::LoadU(d, x + c), hn::Load(d, inverse + c), hn::Load(d, zero + c));
      hn::StoreU(bytes, d8, q + c);
    }
    if (c == count) continue;
    // Fewer channels than lanes: never touch what lies beside the slice.
    HWY_ALIGN float last[kLanes] = {};
    HWY_ALIGN std::int8_t bytes[kLanes];
    std::memcpy(last, x + c, static_cast<std::size_t>(count - c) * sizeof(float));
    hn::Store(to_int8(d, hn::Load(d, last), hn::Load(d, inverse + c), hn::Load(d, zero + c)), d8,
              bytes);
    std::memcpy(q + c, bytes, static_cast<std::size_t>(count - c));
  }
}

void quantize_row(View<const float> x, View<const float> code, View<std::int8_t> q, int n, int h) {
  const Shape& s = x.shape;
  for (int c = 0; c < s.c; c += kChunk) {
    quantize_channels(x.pixel(n, h, 0), x.w_stride, quantization(code), c,
                      c + kChunk < s.c ? kChunk : s.c - c, s.w, q.pixel(n, h, 0), q.w_stride);
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(quantize_row);

void quantize_simd(View<const float> x, View<const float> code, View<std::int8_t> q) {
  const auto row = HWY_DYNAMIC_DISPATCH(quantize_row);
  const Shape& s = x.shape;
  parallel_for(std::int64_t{s.n} * s.h, [&](std::int64_t task, int) {
    row(x, code, q, static_cast<int>(task / s.h), static_cast<int>(task % s.h));
  });
}

}  // namespace mend
#endif
