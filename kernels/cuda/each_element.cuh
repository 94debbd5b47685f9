// y = f(inputs), element by element, with broadcast inputs and any strides.
//
// All of f32, f16 or bf16, computed in f32; the inputs behind the first may be f32 beside a narrow one.
//
// Bound by memory, so a thread makes the elements of one 16-byte access where all views allow it (an
// input that is broadcast along them is read once), else one. Nothing is looped over: the grid is as large
// as y, and the registers of the accesses under way are those of the threads.
#pragma once

#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/walk.cuh"

namespace mend {

/// The first input, of T, and the others, of Rest.
template <class T, class Rest, int kInputs>
struct InputPointers {
  const T* first;
  const Rest* rest[kInputs > 1 ? kInputs - 1 : 1];
};

constexpr int kEachThreads = 256;

/// Input i of kWidth elements; one that is the same for all of them is read once.
template <int kWidth, int kInputs, class T>
__device__ void load_input(const T* from, bool is_constant, int i,
                           float (&values)[kWidth][kInputs]) {
  if (kWidth == 1 || is_constant) {
    const float value = as_float(*from);
#pragma unroll
    for (int e = 0; e < kWidth; ++e) values[e][i] = value;
    return;
  }
  constexpr int kPack = Pack<T>::kCount;
#pragma unroll
  for (int e = 0; e < kWidth; e += kPack) {
    const auto pack = *reinterpret_cast<const Pack<T>*>(from + e);
#pragma unroll
    for (int k = 0; k < kPack && e + k < kWidth; ++k) values[e + k][i] = as_float(pack.values[k]);
  }
}

template <int kWidth, class T, class Rest, int kInputs, class F>
__global__ void __launch_bounds__(kEachThreads)
    each_element(Walk<kInputs + 1> walk, InputPointers<T, Rest, kInputs> inputs, T* y, F f) {
  const std::uint32_t index = blockIdx.x * kEachThreads + threadIdx.x;
  if (index >= walk.count) return;
  std::int64_t at[kInputs + 1] = {};
  walk.locate(index, at);
  float values[kWidth][kInputs];
  load_input(inputs.first + at[0], walk.is_constant(0), 0, values);
#pragma unroll
  for (int i = 1; i < kInputs; ++i) {
    load_input(inputs.rest[i - 1] + at[i], walk.is_constant(i), i, values);
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

template <class T, class Rest, int kInputs, class F>
void launch_walk(const char* kernel, const Walk<kInputs + 1>& walk,
                 const InputPointers<T, Rest, kInputs>& inputs, bool packs, T* y, const F& f) {
  const auto launch = [&](auto run, const Walk<kInputs + 1>& over) {
    const unsigned blocks = (over.count + kEachThreads - 1) / kEachThreads;
    run<<<blocks, kEachThreads, 0, current_cuda_device().stream()>>>(over, inputs, y, f);
    cuda_check(cudaGetLastError(), kernel);
  };
  constexpr int kPack = Pack<T>::kCount;
  if (packs) return launch(each_element<kPack, T, Rest, kInputs, F>, walk.in_packs(kPack));
  launch(each_element<1, T, Rest, kInputs, F>, walk);
}

/// Launches y = f(x, rest...) on the current device. f(const float (&)[1 + kRest]): the element of each input,
/// whose extents are those of y, or 1 to stand for all.
template <class T, class Rest, int kRest, class F>
void launch_each_element(const char* kernel, const View<const T>& x,
                         const View<const Rest> (&rest)[kRest], const View<T>& y, const F& f) {
  constexpr int kInputs = 1 + kRest;
  const auto walk = [&]<std::size_t... i>(std::index_sequence<i...>) {
    return Walk<kInputs + 1>(y.shape, {Strides(x), Strides(rest[i])..., Strides(y)});
  }
  (std::make_index_sequence<kRest>{});
  InputPointers<T, Rest, kInputs> pointers;
  pointers.first = x.data;
  bool packs = walk.packs(kInputs, y.data) && (walk.is_constant(0) || walk.packs(0, x.data));
  for (int i = 0; i < kRest; ++i) {
    pointers.rest[i] = rest[i].data;
    packs &= walk.is_constant(i + 1) || walk.packs(i + 1, rest[i].data);
  }
  launch_walk(kernel, walk, pointers, packs, y.data, f);
}

/// The same of inputs of one type, side by side.
template <class T, int kInputs, class F>
void launch_each_element(const char* kernel, const View<const T> (&inputs)[kInputs],
                         const View<T>& y, const F& f) {
  const auto walk = [&]<std::size_t... i>(std::index_sequence<i...>) {
    return Walk<kInputs + 1>(y.shape, {Strides(inputs[i])..., Strides(y)});
  }
  (std::make_index_sequence<kInputs>{});
  InputPointers<T, T, kInputs> pointers;
  pointers.first = inputs[0].data;
  bool packs = walk.packs(kInputs, y.data);
  for (int i = 0; i < kInputs; ++i) {
    if (i > 0) pointers.rest[i - 1] = inputs[i].data;
    packs &= walk.is_constant(i) || walk.packs(i, inputs[i].data);
  }
  launch_walk(kernel, walk, pointers, packs, y.data, f);
}

}  // namespace mend
