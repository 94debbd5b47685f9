// Elements of tensors in device code: the engine's Half and BFloat16 are bits, the arithmetic is f32.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "engine/dtype.h"
#include "engine/tensor.h"

namespace mend {

__device__ inline float as_float(float value) { return value; }
__device__ inline float as_float(Half value) { return __half2float(__ushort_as_half(value.bits)); }
__device__ inline float as_float(BFloat16 value) {
  return __bfloat162float(__ushort_as_bfloat16(value.bits));
}

/// Rounds to nearest even.
template <class T>
__device__ T from_float(float value);
template <>
__device__ inline float from_float<float>(float value) {
  return value;
}
template <>
__device__ inline Half from_float<Half>(float value) {
  return {__half_as_ushort(__float2half_rn(value))};
}
template <>
__device__ inline BFloat16 from_float<BFloat16>(float value) {
  return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
}

/// Pixel (n,h,w) of a view on the device.
template <class T>
__device__ T* pixel_of(const View<T>& view, int n, int h, int w) {
  return view.data + n * view.n_stride + h * view.h_stride + w * view.w_stride;
}

/// 16 bytes of elements, moved by one instruction.
template <class T>
struct alignas(16) Pack {
  static constexpr int kCount = 16 / sizeof(T);
  T values[kCount];
};

/// Whether every pixel of `view` starts at a multiple of 16 bytes: only then may a kernel move Packs.
template <class T>
bool packs(const View<T>& view) {
  constexpr std::int64_t kCount = Pack<std::remove_const_t<T>>::kCount;
  return reinterpret_cast<std::uintptr_t>(view.data) % 16 == 0 && view.w_stride % kCount == 0 &&
         view.h_stride % kCount == 0 && view.n_stride % kCount == 0;
}

}  // namespace mend
