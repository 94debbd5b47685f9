// y = f(inputs), element by element, with broadcast inputs and any strides.
//
// All of f32, f16 or bf16, computed in f32.
//
// Bound by memory, so a thread makes the elements of one 16-byte access where all views allow it (an
// input that is broadcast along them is read once), else one. Nothing is looped over: the grid is as large
// as y, and the registers of the accesses under way are those of the threads.
#pragma once

#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/walk.cuh"

namespace mend {

template <class T, int kInputs>
struct InputPointers {
  const T* data[kInputs];
};

constexpr int kEachThreads = 256;

template <int kWidth, class T, int kInputs, class F>
__global__ void __launch_bounds__(kEachThreads)
    each_element(Walk<kInputs + 1> walk, InputPointers<T, kInputs> inputs, T* y, F f) {
  const std::uint32_t index = blockIdx.x * kEachThreads + threadIdx.x;
  if (index >= walk.count) return;
  std::int64_t at[kInputs + 1] = {};
  walk.locate(index, at);
  float values[kWidth][kInputs];
#pragma unroll
  for (int i = 0; i < kInputs; ++i) {
    const T* from = inputs.data[i] + at[i];
    if (kWidth == 1 || walk.is_constant(i)) {
      const float value = as_float(*from);
#pragma unroll
      for (int e = 0; e < kWidth; ++e) values[e][i] = value;
    } else {
      const auto pack = *reinterpret_cast<const Pack<T>*>(from);
#pragma unroll
      for (int e = 0; e < kWidth; ++e) values[e][i] = as_float(pack.values[e]);
    }
  }
  T* to = y + at[kInputs];
  if constexpr (kWidth == 1) {
    *to = from_float<T>(f(values[0]));
  } else {
    Pack<T> results;
#pragma unroll
    for (int e = 0; e < kWidth; ++e) results.values[e] = from_float<T>(f(values[e]));
    *reinterpret_cast<Pack<T>*>(to) = results;
  }
}

/// Launches y = f(inputs) on the current device. f(const float (&)[kInputs]): the element of each input,
/// whose extents are those of y, or 1 to stand for all.
template <class T, int kInputs, class F>
void launch_each_element(const char* kernel, const View<const T> (&inputs)[kInputs],
                         const View<T>& y, const F& f) {
  const auto walk = [&]<std::size_t... i>(std::index_sequence<i...>) {
    return Walk<kInputs + 1>(y.shape, {Strides(inputs[i])..., Strides(y)});
  }
  (std::make_index_sequence<kInputs>{});
  InputPointers<T, kInputs> pointers;
  bool packs = walk.packs(kInputs, y.data);
  for (int i = 0; i < kInputs; ++i) {
    pointers.data[i] = inputs[i].data;
    packs &= walk.is_constant(i) || walk.packs(i, inputs[i].data);
  }
  const auto launch = [&](auto run, const Walk<kInputs + 1>& over) {
    const unsigned blocks = (over.count + kEachThreads - 1) / kEachThreads;
    run<<<blocks, kEachThreads, 0, current_cuda_device().stream()>>>(over, pointers, y.data, f);
    cuda_check(cudaGetLastError(), kernel);
  };
  constexpr int kPack = Pack<T>::kCount;
  if (packs) return launch(each_element<kPack, T, kInputs, F>, walk.in_packs(kPack));
  launch(each_element<1, T, kInputs, F>, walk);
}

}  // namespace mend
