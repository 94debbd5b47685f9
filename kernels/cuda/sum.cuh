// y = scale · Σ f(inputs), the sum over all extents that y has 1 of and the inputs more: bias gradients,
// means of a channel or a pixel, losses. The inputs are f32, f16 or bf16, y is f32.
//
// Bound by memory, so the work must be spread over all multiprocessors however few sums there are: every
// sum is cut into `splits` parts of one block (or warp) each, and a second kernel adds the parts. A thread
// has eight loads under way, adds those up in f32 (or what f returns), and goes on in double. Both kernels
// add in an order that depends on the shapes and strides alone, so the bits are the same on every run.
//
//   sum_columns   channels are kept: neighbouring threads have neighbouring channels, all threads of a
//                 block a few pixels; so a warp reads side by side even of 24 channels
//   sum_rows      channels are summed: a warp a part, its threads read side by side
#pragma once

#include <algorithm>

#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/walk.cuh"

namespace mend {

constexpr int kSumThreads = 256, kSumWarp = 32;
constexpr int kSumRun = 8;  ///< loads of a thread that are under way, and numbers added in f32
/// Blocks that fill an H100 twice: 264 · 256 threads · 8 loads of 16 bytes are 64 KB a multiprocessor.
constexpr int kSumBlocks = 264;

/// The work of one sum or many, for both kernels. `kept` walks over y, `reduced` over what one number of
/// y sums up; kWidth elements at a time.
template <class T, int kInputs>
struct SumWork {
  Walk<kInputs + 1> kept;  ///< the last view is y
  Walk<kInputs> reduced;
  const T* inputs[kInputs];
  float* y;
  double* parts;  ///< [outer][split][inner], absent if there is one split
  double scale;
  std::uint32_t splits, length;  ///< parts of a sum, and what each has of `reduced`
  std::uint32_t inner;           ///< elements of y side by side
  // sum_columns: a block has `units` neighbours in `inner`, and `lanes` threads for each.
  std::uint32_t units, lanes, tiles;
};

/// Side by side in memory, read by one instruction.
template <class T, int kWidth>
struct alignas(sizeof(T) * kWidth) Neighbours {
  T values[kWidth];
};

/// f of kWidth neighbours.
template <int kWidth, class T, int kInputs, class F, class Value>
__device__ void evaluate(const SumWork<T, kInputs>& work, const std::int64_t (&at)[kInputs],
                         const F& f, Value (&results)[kWidth]) {
  float values[kWidth][kInputs];
#pragma unroll
  for (int i = 0; i < kInputs; ++i) {
    if constexpr (kWidth == 1) {
      values[0][i] = as_float(work.inputs[i][at[i]]);
    } else {
      const auto read = *reinterpret_cast<const Neighbours<T, kWidth>*>(work.inputs[i] + at[i]);
#pragma unroll
      for (int e = 0; e < kWidth; ++e) values[e][i] = as_float(read.values[e]);
    }
  }
#pragma unroll
  for (int e = 0; e < kWidth; ++e) results[e] = f(values[e]);
}

/// Whether even the numbers of a run are doubles: they take twice the registers.
template <int kInputs, class F>
constexpr bool kIsSummedInDouble =
    sizeof(decltype(std::declval<F>()(std::declval<const float (&)[kInputs]>()))) == sizeof(double);

/// Adds f of every step-th of [first, last) of what is reduced to `sums`.
template <int kWidth, class T, int kInputs, class F>
__device__ void add_part(const SumWork<T, kInputs>& work, const std::int64_t (&base)[kInputs],
                         std::uint32_t first, std::uint32_t last, std::uint32_t step, const F& f,
                         double (&sums)[kWidth]) {
  using Value = decltype(f(std::declval<const float(&)[kInputs]>()));
  for (std::uint32_t begin = first; begin < last; begin += kSumRun * step) {
    Value run[kWidth] = {};
#pragma unroll
    for (int j = 0; j < kSumRun; ++j) {
      const std::uint32_t index = begin + j * step;
      if (index >= last) continue;
      std::int64_t at[kInputs];
#pragma unroll
      for (int i = 0; i < kInputs; ++i) at[i] = base[i];
      work.reduced.locate(index, at);
      Value terms[kWidth];
      evaluate<kWidth>(work, at, f, terms);
#pragma unroll
      for (int e = 0; e < kWidth; ++e) run[e] += terms[e];
    }
#pragma unroll
    for (int e = 0; e < kWidth; ++e) sums[e] += run[e];
  }
}

template <int kWidth, class T, int kInputs, class F>
__global__ void __launch_bounds__(kSumThreads, kIsSummedInDouble<kInputs, F> ? 3 : 0)
    sum_columns(SumWork<T, kInputs> work, F f) {
  __shared__ double shared[kWidth][kSumThreads];
  const std::uint32_t block = blockIdx.x / work.splits, split = blockIdx.x - block * work.splits;
  const std::uint32_t outer = block / work.tiles, tile = block - outer * work.tiles;
  const std::uint32_t lane = threadIdx.x / work.units;
  const std::uint32_t unit = tile * work.units + (threadIdx.x - lane * work.units);
  const std::uint32_t all_units = work.inner / kWidth;
  const bool busy = lane < work.lanes && unit < all_units;

  double sums[kWidth] = {};
  std::int64_t kept[kInputs + 1] = {};
  if (busy) {
    work.kept.locate(outer * all_units + unit, kept);
    std::int64_t base[kInputs];
#pragma unroll
    for (int i = 0; i < kInputs; ++i) base[i] = kept[i];
    const std::uint32_t first = split * work.length;
    const std::uint32_t last = min(first + work.length, work.reduced.count);
    add_part(work, base, first + lane, last, work.lanes, f, sums);
  }
#pragma unroll
  for (int e = 0; e < kWidth; ++e) shared[e][threadIdx.x] = sums[e];
  for (std::uint32_t left = work.lanes; left > 1;) {  // lanes fold their upper half onto the lower
    const std::uint32_t half = (left + 1) / 2;
    __syncthreads();
    if (lane + half < left) {
#pragma unroll
      for (int e = 0; e < kWidth; ++e) {
        shared[e][threadIdx.x] += shared[e][threadIdx.x + half * work.units];
      }
    }
    left = half;
  }
  if (lane != 0 || !busy) return;
#pragma unroll
  for (int e = 0; e < kWidth; ++e) {
    const double sum = shared[e][threadIdx.x];
    if (work.parts == nullptr) {
      work.y[kept[kInputs] + e] = static_cast<float>(work.scale * sum);
    } else {
      const std::int64_t row = std::int64_t{outer} * work.splits + split;
      work.parts[row * work.inner + unit * kWidth + e] = sum;
    }
  }
}

template <int kWidth, class T, int kInputs, class F>
__global__ void __launch_bounds__(kSumThreads) sum_rows(SumWork<T, kInputs> work, F f) {
  const std::uint32_t lane = threadIdx.x % kSumWarp;
  const std::uint32_t part =
      blockIdx.x * (kSumThreads / kSumWarp) + static_cast<std::uint32_t>(threadIdx.x) / kSumWarp;
  const std::uint32_t output = part / work.splits, split = part - output * work.splits;
  if (output >= work.kept.count) return;
  std::int64_t kept[kInputs + 1] = {};
  work.kept.locate(output, kept);
  std::int64_t base[kInputs];
#pragma unroll
  for (int i = 0; i < kInputs; ++i) base[i] = kept[i];
  const std::uint32_t first = split * work.length;
  const std::uint32_t last = min(first + work.length, work.reduced.count);
  double sums[kWidth] = {};
  add_part(work, base, first + lane, last, kSumWarp, f, sums);
  double sum = sums[0];
#pragma unroll
  for (int e = 1; e < kWidth; ++e) sum += sums[e];
#pragma unroll
  for (int other = kSumWarp / 2; other > 0; other /= 2) {
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, other);
  }
  if (lane != 0) return;
  if (work.parts == nullptr) {
    work.y[kept[kInputs]] = static_cast<float>(work.scale * sum);
  } else {
    work.parts[part] = sum;
  }
}

/// y = scale · Σ of the splits of parts [outer][split][inner]; `lanes` threads a sum.
static __global__ void __launch_bounds__(kSumThreads)
    sum_parts(Walk<1> over_y, const double* parts, float* y, double scale, std::uint32_t splits,
              std::uint32_t inner, std::uint32_t lanes) {
  __shared__ double shared[kSumThreads];
  const std::uint32_t outputs = kSumThreads / lanes;  // of this block, side by side in its threads
  const std::uint32_t lane = threadIdx.x / outputs;
  const std::uint32_t output = blockIdx.x * outputs + threadIdx.x % outputs;
  double sum = 0;
  if (output < over_y.count) {
    const std::uint32_t outer = output / inner;
    const double* from = parts + std::int64_t{outer} * splits * inner + (output - outer * inner);
#pragma unroll 4
    for (std::uint32_t split = lane; split < splits; split += lanes) {
      sum += from[std::int64_t{split} * inner];
    }
  }
  shared[threadIdx.x] = sum;
  for (std::uint32_t half = lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) shared[threadIdx.x] += shared[threadIdx.x + half * outputs];
  }
  if (lane != 0 || output >= over_y.count) return;
  std::int64_t at[1] = {};
  over_y.locate(output, at);
  y[at[0]] = static_cast<float>(scale * shared[threadIdx.x]);
}

/// Launches y = scale · Σ f(inputs) on the current device. The inputs have one shape, y's extents are its
/// or 1. f(const float (&)[kInputs]) returns float or double.
template <class T, int kInputs, class F>
void launch_sum(const char* kernel, const View<const T> (&inputs)[kInputs], const View<float>& y,
                double scale, const F& f) {
  CudaDevice& device = current_cuda_device();
  const Shape &from = inputs[0].shape, &to = y.shape;
  const Shape summed{from.n / to.n, from.h / to.h, from.w / to.w, from.c / to.c};
  const auto [kept, reduced] = [&]<std::size_t... i>(std::index_sequence<i...>) {
    return std::pair(Walk<kInputs + 1>(to, {Strides(inputs[i])..., Strides(y)}),
                     Walk<kInputs>(summed, {Strides(inputs[i])...}));
  }
  (std::make_index_sequence<kInputs>{});
  const bool columns = from.c > 1 ? to.c > 1 : from.w > 1 && to.w > 1;
  bool packs = !columns || kept.stride[0][kInputs] == 1;
  for (int i = 0; i < kInputs; ++i) {
    // The other walk's steps must keep to multiples of 16 bytes too.
    const auto keeps = [&](const auto& walk) {
      bool all = true;
      for (int d = 0; d < walk.dimensions; ++d) all &= walk.stride[d][i] % Pack<float>::kCount == 0;
      return all;
    };
    packs &= columns ? kept.packs(i, inputs[i].data) && keeps(reduced)
                     : reduced.packs(i, inputs[i].data) && keeps(kept);
  }
  const std::uint32_t width = packs ? Pack<float>::kCount : 1;
  SumWork<T, kInputs> work{.kept = columns && packs ? kept.in_packs() : kept,
                           .reduced = !columns && packs ? reduced.in_packs() : reduced,
                           .inputs = {},
                           .y = y.data,
                           .parts = nullptr,
                           .scale = scale,
                           .splits = 1,
                           .length = 0,
                           .inner = 1,
                           .units = 1,
                           .lanes = kSumWarp,
                           .tiles = 1};
  for (int i = 0; i < kInputs; ++i) work.inputs[i] = inputs[i].data;

  std::uint32_t sums = work.kept.count, most = kSumBlocks * (kSumThreads / kSumWarp);
  if (columns) {
    work.inner = kept.extent[0].divisor;
    const std::uint32_t units = work.inner / width;
    work.tiles = (units + kSumThreads - 1) / kSumThreads;
    work.units = (units + work.tiles - 1) / work.tiles;
    work.lanes = std::min(kSumThreads / work.units, work.reduced.count);
    sums = work.kept.count / units * work.tiles;
    most = kSumBlocks;
  }
  const auto ceil_div = [](std::uint32_t a, std::uint32_t b) { return (a + b - 1) / b; };
  const std::uint32_t useful = ceil_div(work.reduced.count, work.lanes * kSumRun);
  work.splits = std::clamp(useful, 1u, std::max(1u, most / sums));
  work.length = ceil_div(work.reduced.count, work.splits);
  work.splits = ceil_div(work.reduced.count, work.length);

  Tensor parts;
  if (work.splits > 1) {
    const std::int64_t numbers = std::int64_t{work.splits} * kept.count;
    parts =
        Tensor::empty(vector_shape(static_cast<int>(numbers * sizeof(double))), DType::kU8, device);
    work.parts = reinterpret_cast<double*>(parts.storage()->data());
  }
  const std::uint32_t tasks = sums * work.splits;
  const auto launch = [&](auto run, std::uint32_t blocks) {
    run<<<blocks, kSumThreads, 0, device.stream()>>>(work, f);
    cuda_check(cudaGetLastError(), kernel);
  };
  if (columns) {
    launch(packs ? sum_columns<4, T, kInputs, F> : sum_columns<1, T, kInputs, F>, tasks);
  } else {
    launch(packs ? sum_rows<4, T, kInputs, F> : sum_rows<1, T, kInputs, F>,
           ceil_div(tasks, kSumThreads / kSumWarp));
  }
  if (work.splits == 1) return;
  const std::uint32_t lanes = work.inner == 1 ? kSumThreads : kSumWarp;
  const Walk<1> over_y(to, {Strides(y)});
  sum_parts<<<ceil_div(over_y.count, kSumThreads / lanes), kSumThreads, 0, device.stream()>>>(
      over_y, work.parts, y.data, scale, work.splits, work.inner, lanes);
  cuda_check(cudaGetLastError(), kernel);
}

}  // namespace mend
