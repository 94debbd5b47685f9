// Moving pixels: every pixel of y is a copy of one of x, or a constant. Concatenation, padding, windows,
// shifts and the nearest pixel differ only in where a pixel comes from.
//
// Memory traffic is all there is. A warp writes 32 units of y that lie side by side; a unit is 16 bytes
// where all pixels start at multiples of them, else one number. Each thread has kBatch loads under way.
// Numbers are float, or Half, which stands for any 16 bits.
#pragma once

#include "engine/cuda/check.h"
#include "kernels/cuda/units.cuh"

namespace mend {

constexpr int kGatherThreads = 256;
constexpr int kGatherBatch = 4;

template <class Number>
__device__ void fill(Number& unit, Number value) {
  unit = value;
}
template <class Number>
__device__ void fill(Pack<Number>& unit, Number value) {
#pragma unroll
  for (Number& number : unit.values) number = value;
}

/// source(n, h, w, c): the address of what y[n,h,w,c] copies, or null for `constant`; of a Pack, of its
/// first number. n counts from `first_image` on.
template <class Unit, class Number, class Source>
__global__ void __launch_bounds__(kGatherThreads)
    gather_pixels(Source source, View<Number> y, UnitsOf units, int first_image, Number constant) {
  constexpr int kNumbers = sizeof(Unit) / sizeof(Number);
  Unit values[kGatherBatch];
  Number* to[kGatherBatch];
  const std::int64_t first =
      std::int64_t{blockIdx.x} * (kGatherThreads * kGatherBatch) + threadIdx.x;
#pragma unroll
  for (int i = 0; i < kGatherBatch; ++i) {
    const std::int64_t unit = first + i * kGatherThreads;
    to[i] = nullptr;
    if (unit >= units.count) continue;
    const auto [n, h, w, c] = units.place<kNumbers>(static_cast<int>(unit), first_image);
    to[i] = pixel_of(y, n, h, w) + c;
    const Number* from = source(n, h, w, c);
    if (from != nullptr) {
      values[i] = *reinterpret_cast<const Unit*>(from);
    } else {
      fill(values[i], constant);
    }
  }
#pragma unroll
  for (int i = 0; i < kGatherBatch; ++i) {
    if (to[i] != nullptr) *reinterpret_cast<Unit*>(to[i]) = values[i];
  }
}

/// Fills y. `aligned`: whether the addresses that source gives for channels that are multiples of a Pack's
/// numbers are multiples of 16 bytes, with a Pack from there on all copied or all constant.
template <class Number, class Source>
void launch_gather_pixels(const Source& source, bool aligned, const View<Number>& y,
                          Number constant, cudaStream_t stream, std::string_view name) {
  constexpr int kBlock = kGatherThreads * kGatherBatch, kPack = Pack<Number>::kCount;
  const bool wide = aligned && packs(y) && y.shape.c % kPack == 0;
  const auto launch = [&](unsigned blocks, UnitsOf units, int first) {
    const auto run =
        wide ? gather_pixels<Pack<Number>, Number, Source> : gather_pixels<Number, Number, Source>;
    run<<<blocks, kGatherThreads, 0, stream>>>(source, y, units, first, constant);
    cuda_check(cudaGetLastError(), name);
  };
  for_each_launch(y.shape, wide ? kPack : 1, kBlock, launch);
}

}  // namespace mend
