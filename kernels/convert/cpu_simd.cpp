// One pass over memory, a vector at a time; the last numbers of a pixel one by one, with the same rounding.
#include "kernels/convert/rungs.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/convert/cpu_simd.cpp"
#include "kernels/each_vector-inl.h"
#include "kernels/narrow_lanes-inl.h"
#include "kernels/simd.h"

#ifndef MEND_CONVERT_CPU_SIMD_ONCE
#define MEND_CONVERT_CPU_SIMD_ONCE
namespace mend {

/// Neighbouring pixels of a row, `stride` numbers apart.
template <class T>
struct PixelRow {
  T* data;
  std::int64_t stride;
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class From, class To>
void convert_row(PixelRow<const From> x, PixelRow<To> y, std::int64_t pixels,
                 std::int64_t channels) {
  if (x.stride == channels && y.stride == channels) {
    channels *= pixels;
    pixels = 1;
  }
  for (std::int64_t p = 0; p < pixels; ++p) {
    const From* from = x.data + p * x.stride;
    To* to = y.data + p * y.stride;
    for_each_vector(channels, [&](auto d, std::int64_t i)
                                  HWY_ATTR { store_f32(load_f32(d, from + i), d, to + i); });
  }
}

/// y = x + residual
template <class T>
void add_row(PixelRow<const float> x, PixelRow<const T> residual, PixelRow<T> y,
             std::int64_t pixels, std::int64_t channels) {
  for (std::int64_t p = 0; p < pixels; ++p) {
    const float* from = x.data + p * x.stride;
    const T* more = residual.data + p * residual.stride;
    T* to = y.data + p * y.stride;
    for_each_vector(channels, [&](auto d, std::int64_t i) HWY_ATTR {
      store_f32(hn::Add(hn::LoadU(d, from + i), load_f32(d, more + i)), d, to + i);
    });
  }
}

void half_to_f32(PixelRow<const Half> x, PixelRow<float> y, std::int64_t pixels,
                 std::int64_t channels) {
  convert_row(x, y, pixels, channels);
}
void bfloat16_to_f32(PixelRow<const BFloat16> x, PixelRow<float> y, std::int64_t pixels,
                     std::int64_t channels) {
  convert_row(x, y, pixels, channels);
}
void f32_to_half(PixelRow<const float> x, PixelRow<Half> y, std::int64_t pixels,
                 std::int64_t channels) {
  convert_row(x, y, pixels, channels);
}
void f32_to_bfloat16(PixelRow<const float> x, PixelRow<BFloat16> y, std::int64_t pixels,
                     std::int64_t channels) {
  convert_row(x, y, pixels, channels);
}
void add_half(PixelRow<const float> x, PixelRow<const Half> residual, PixelRow<Half> y,
              std::int64_t pixels, std::int64_t channels) {
  add_row(x, residual, y, pixels, channels);
}
void add_bfloat16(PixelRow<const float> x, PixelRow<const BFloat16> residual, PixelRow<BFloat16> y,
                  std::int64_t pixels, std::int64_t channels) {
  add_row(x, residual, y, pixels, channels);
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(half_to_f32);
HWY_EXPORT(bfloat16_to_f32);
HWY_EXPORT(f32_to_half);
HWY_EXPORT(f32_to_bfloat16);
HWY_EXPORT(add_half);
HWY_EXPORT(add_bfloat16);

namespace {

template <class From, class To>
using ConvertRow = void (*)(PixelRow<const From> x, PixelRow<To> y, std::int64_t pixels,
                            std::int64_t channels);
template <class T>
using AddRow = void (*)(PixelRow<const float> x, PixelRow<const T> residual, PixelRow<T> y,
                        std::int64_t pixels, std::int64_t channels);

template <class T>
PixelRow<T> row_of(View<T> image, int n, int h, int w = 0) {
  return {image.pixel(n, h, w), image.w_stride};
}

/// On all threads.
template <class From, class To>
void convert_image(View<const From> x, View<To> y, ConvertRow<From, To> convert) {
  for_each_run(y.shape, [&](const Run& run) {
    convert(row_of(x, run.n, run.h, run.w), row_of(y, run.n, run.h, run.w), run.count, y.shape.c);
  });
}

/// body(n, h) for each row, on this thread.
template <class Body>
void for_each_row(const Shape& shape, const Body& body) {
  for (int n = 0; n < shape.n; ++n)
    for (int h = 0; h < shape.h; ++h) body(n, h);
}

template <class T>
void widen_rows(View<const T> x, View<float> y, ConvertRow<T, float> convert) {
  for_each_row(y.shape, [&](int n, int h) {
    convert(row_of(x, n, h), row_of(y, n, h), y.shape.w, y.shape.c);
  });
}

template <class T>
void sum_rows(View<const float> x, View<const T> residual, View<T> y, ConvertRow<float, T> convert,
              AddRow<T> add) {
  for_each_row(y.shape, [&](int n, int h) {
    if (!residual) return convert(row_of(x, n, h), row_of(y, n, h), y.shape.w, y.shape.c);
    add(row_of(x, n, h), row_of(residual, n, h), row_of(y, n, h), y.shape.w, y.shape.c);
  });
}

}  // namespace

void widen_pixels(View<const Half> x, View<float> y) {
  widen_rows(x, y, HWY_DYNAMIC_DISPATCH(half_to_f32));
}
void widen_pixels(View<const BFloat16> x, View<float> y) {
  widen_rows(x, y, HWY_DYNAMIC_DISPATCH(bfloat16_to_f32));
}

void narrow_pixels(View<const float> x, View<const Half> residual, View<Half> y) {
  sum_rows(x, residual, y, HWY_DYNAMIC_DISPATCH(f32_to_half), HWY_DYNAMIC_DISPATCH(add_half));
}
void narrow_pixels(View<const float> x, View<const BFloat16> residual, View<BFloat16> y) {
  sum_rows(x, residual, y, HWY_DYNAMIC_DISPATCH(f32_to_bfloat16),
           HWY_DYNAMIC_DISPATCH(add_bfloat16));
}

void convert_simd(const Tensor& x, const Tensor& y) {
  if (x.dtype() == DType::kF16) {
    return convert_image<Half, float>(x.view<const Half>(), y.view<float>(),
                                      HWY_DYNAMIC_DISPATCH(half_to_f32));
  }
  if (x.dtype() == DType::kBF16) {
    return convert_image<BFloat16, float>(x.view<const BFloat16>(), y.view<float>(),
                                          HWY_DYNAMIC_DISPATCH(bfloat16_to_f32));
  }
  if (y.dtype() == DType::kF16) {
    return convert_image<float, Half>(x.view<const float>(), y.view<Half>(),
                                      HWY_DYNAMIC_DISPATCH(f32_to_half));
  }
  convert_image<float, BFloat16>(x.view<const float>(), y.view<BFloat16>(),
                                 HWY_DYNAMIC_DISPATCH(f32_to_bfloat16));
}

}  // namespace mend
#endif
