// Moving pixels: every pixel of y is a copy of one of x, or a constant. Concatenation, padding, windows,
// shifts and the nearest pixel differ only in where a pixel comes from.
//
// Memory traffic is all there is. A warp writes 32 units of y that lie side by side; a unit is 16 bytes
// where all pixels start at multiples of them, else one number. Each thread has kBatch loads under way.
#pragma once

#include "engine/cuda/check.h"
#include "kernels/cuda/units.cuh"

namespace mend {

constexpr int kGatherThreads = 256;
constexpr int kGatherBatch = 4;

template <class Unit>
__device__ Unit filled_with(float value);
template <>
__device__ inline float filled_with<float>(float value) {
  return value;
}
template <>
__device__ inline Pack<float> filled_with<Pack<float>>(float value) {
  return {value, value, value, value};
}

/// source(n, h, w, c): the address of what y[n,h,w,c] copies, or null for `constant`; of a Pack, of its
/// first number. n counts from `first_image` on.
template <class Unit, class Source>
__global__ void __launch_bounds__(kGatherThreads)
    gather_pixels(Source source, View<float> y, UnitsOf units, int first_image, float constant) {
  constexpr int kNumbers = sizeof(Unit) / sizeof(float);
  Unit values[kGatherBatch];
  float* to[kGatherBatch];
  const std::int64_t first =
      std::int64_t{blockIdx.x} * (kGatherThreads * kGatherBatch) + threadIdx.x;
#pragma unroll
  for (int i = 0; i < kGatherBatch; ++i) {
    const std::int64_t unit = first + i * kGatherThreads;
    to[i] = nullptr;
    if (unit >= units.count) continue;
    const auto [n, h, w, c] = units.place<kNumbers>(static_cast<int>(unit), first_image);
    to[i] = pixel_of(y, n, h, w) + c;
    const float* from = source(n, h, w, c);
    values[i] =
        from != nullptr ? *reinterpret_cast<const Unit*>(from) : filled_with<Unit>(constant);
  }
#pragma unroll
  for (int i = 0; i < kGatherBatch; ++i) {
    if (to[i] != nullptr) *reinterpret_cast<Unit*>(to[i]) = values[i];
  }
}

/// Fills y. `aligned`: whether the addresses that source gives for channels that are multiples of 4 are
/// multiples of 16 bytes, with 4 numbers from there on all copied or all constant.
template <class Source>
void launch_gather_pixels(const Source& source, bool aligned, const View<float>& y, float constant,
                          cudaStream_t stream, std::string_view name) {
  const bool wide = aligned && packs(y) && y.shape.c % 4 == 0;
  constexpr int kBlock = kGatherThreads * kGatherBatch;
  for_each_launch(y.shape, wide ? 4 : 1, kBlock, [&](unsigned blocks, UnitsOf units, int first) {
    if (wide) {
      gather_pixels<Pack<float>>
          <<<blocks, kGatherThreads, 0, stream>>>(source, y, units, first, constant);
    } else {
      gather_pixels<float>
          <<<blocks, kGatherThreads, 0, stream>>>(source, y, units, first, constant);
    }
    cuda_check(cudaGetLastError(), name);
  });
}

}  // namespace mend
