// A layer norm and the linear layer behind it in one kernel on tensor cores: y [pixels, K] = norm(x) [pixels, C] ·
// weightᵀ [C, K].
//
//   block     m pixels with all their channels             weight, 64 outputs x 128 bytes of channels at a time
//             ┌──────┬──────┬──────┐ cp.async, all at once  ┌──────┬──────┬──────┐
//             │ 128 B│ 128 B│  ..  │ slices                 │      │      │      │ ring, by cp.async
//             └──────┴──────┴──────┘                        └──────┴──────┴──────┘
//             mean, deviation: eight lanes a pixel, each a unit of 16 bytes of every slice
//             x -> (x − mean) / deviation · gamma + beta, where it lies, rounded as the product wants it
//             then all outputs of the block: slices in their order, sums in registers
//
// Two launches write the normalised image and read it again; here x is read once, and by as many blocks as share out
// the outputs of the same pixels (cuda_plan.cpp) where there are too few pixels for all multiprocessors. What it costs:
// a read and a write of shared memory a unit, while the first slices of the weight are under way. What limits it is
// what limits the product (gemm.cuh), whose items and sums these are: bits do not depend on the tile.
//
// Next ideas: gamma and beta folded into the weight and the bias when a plan is made.
#pragma once

#include "kernels/conv2d/cuda_gemm.cuh"
#include "kernels/norm_linear/cuda.h"
#include "kernels/norm_linear/cuda_plan.h"
#include "kernels/normalization/cuda_measure.cuh"

namespace mend::norm_linear {

/// GemmTile at compile time, as the items and sums of gemm.cuh want it.
template <int kIndex>
struct Tile {
  static constexpr GemmTile kIt = kNormLinearTiles[kIndex];
  static constexpr int kThreads = kIt.warps() * 32;
  static constexpr int kRows = kIt.m / kIt.warps_m / 16;  // of a warp: mma above each other
  static constexpr int kColumns = kIt.n / kIt.warps_n / 8;
  static constexpr int kBytesOfSlice = kIt.m * kGemmWords * 4;
  static constexpr int kBytesOfItem = kIt.n * kGemmWords * 4;
  static constexpr int kBytesOfWarp = kBytesOfItem / kIt.warps();
};

template <class T>
struct Work {
  gemm::PixelRows<T> x;
  gemm::MatrixRows<T> weight;
  gemm::ConvolutionEpilogue<T> epilogue;
  const float *gamma, *beta;
  PixelMeasure measure;
  float eps;
  int slices;         ///< of gemm_depth channels
  int tiles, own;     ///< of columns; so many of them a block has
  FastDivider parts;  ///< blocks of the same rows
};

constexpr int kLanes = 8;  ///< that have a row in shared memory
constexpr int kHeldSlices =
    6;  ///< whose units of a row stay in a lane's registers: 192 f32, 384 of 16 bits
template <class T>
constexpr int kUnit = 16 / static_cast<int>(sizeof(T));  ///< numbers

__device__ inline float sum_of_row(float value) {
#pragma unroll
  for (int other = kLanes / 2; other > 0; other /= 2) {
    value += __shfl_xor_sync(0xFFFFFFFFu, value, other);
  }
  return value;
}

/// gamma and beta in shared memory: of each slice the first four numbers of all units, then the others, so that eight
/// lanes touch all banks. Zero behind the channels: so are normalised zeros.
template <class T>
struct Factors {
  float *gamma, *beta;

  __device__ Factors(float* shared, int slices)
      : gamma(shared), beta(shared + slices * gemm_depth(sizeof(T))) {}
  __device__ static int place(int channel) {
    const int unit = channel / kUnit<T>, within = channel % kUnit<T>;
    const int quad = unit / kLanes * (kUnit<T> / 4) + within / 4;
    return (quad * kLanes + unit % kLanes) * 4 + within % 4;
  }
  __device__ void fill(const Work<T>& work) const {
    for (int c = threadIdx.x; c < work.slices * gemm_depth(sizeof(T)); c += blockDim.x) {
      const bool there = c < work.x.columns;
      gamma[place(c)] = there ? (work.gamma != nullptr ? work.gamma[c] : 1.0f) : 0.0f;
      beta[place(c)] = there && work.beta != nullptr ? work.beta[c] : 0.0f;
    }
  }
  /// Of the numbers of a lane's unit.
  __device__ static Run<float, kUnit<T>> of(const float* vector, int slice, int lane) {
    Run<float, kUnit<T>> factors;
#pragma unroll
    for (int quad = 0; quad < kUnit<T> / 4; ++quad) {
      const int at = ((slice * (kUnit<T> / 4) + quad) * kLanes + lane) * 4;
      const auto four = *reinterpret_cast<const Run<float, 4>*>(vector + at);
#pragma unroll
      for (int e = 0; e < 4; ++e) factors.values[quad * 4 + e] = four.values[e];
    }
    return factors;
  }
};

/// A row of the block's pixels in shared memory, of which this lane has unit `lane` of each slice. With kHeld > 0 there
/// are kHeld slices at most, whose units stay in registers; with 0 they are read again whenever they are asked for.
template <class T, class Tile, int kHeld>
struct Row {
  using Unit = Run<T, kUnit<T>>;
  char* first;
  int slices;
  Unit held[kHeld > 0 ? kHeld : 1];

  __device__ Row(char* pixels, int row, int lane, int its_slices)
      : first(pixels + row * (kGemmWords * 4) + ((lane ^ (row % kLanes)) << 4)),
        slices(its_slices) {
#pragma unroll
    for (int slice = 0; slice < kHeld; ++slice) {
      if (slice < slices) held[slice] = unit(slice);
    }
  }
  __device__ Unit& unit(int slice) const {
    return *reinterpret_cast<Unit*>(first + slice * Tile::kBytesOfSlice);
  }
  /// f(slice, its numbers in f32)
  template <class F>
  __device__ void each(const F& f) const {
    if constexpr (kHeld > 0) {
#pragma unroll
      for (int slice = 0; slice < kHeld; ++slice) {
        if (slice < slices) f(slice, as_floats(held[slice]));
      }
    } else {
      for (int slice = 0; slice < slices; ++slice) f(slice, as_floats(unit(slice)));
    }
  }
};

/// As measured() of cuda_measure.cuh has it; numbers behind the channels are zeros.
template <class T, class Row>
__device__ Measured measured(const Work<T>& work, const Row& row, int lane) {
  const float part = 1.0f / static_cast<float>(work.x.columns);
  float mean = 0, distances = 0, squares = 0;
  row.each([&](int, const auto& numbers) {
#pragma unroll
    for (int e = 0; e < kUnit<T>; ++e) mean += numbers.values[e];
  });
  mean = sum_of_row(mean) * part;
  row.each([&](int slice, const auto& numbers) {
    const int there = work.x.columns - slice * gemm_depth(sizeof(T)) - lane * kUnit<T>;
#pragma unroll
    for (int e = 0; e < kUnit<T>; ++e) {
      const float distance = e < there ? numbers.values[e] - mean : 0;
      distances += distance;
      squares = fmaf(distance, distance, squares);
    }
  });
  return measured_deviation(work.measure, work.eps, mean, sum_of_row(distances) * part,
                            sum_of_row(squares) * part);
}

/// As the product takes it.
template <class T>
__device__ T factor_of_product(float number) {
  if constexpr (sizeof(T) == 4) return rounded_to_tf32(number);
  return from_float<T>(number);
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// Where the block's pixels lie.
template <class T, class Tile, int kHeld>
__device__ void normalise(const Work<T>& work, const Factors<T>& factors, char* pixels) {
  const int lane = threadIdx.x % kLanes;
#pragma unroll 1
  for (int i = threadIdx.x / kLanes; i < Tile::kIt.m; i += Tile::kThreads / kLanes) {
    const Row<T, Tile, kHeld> row(pixels, i, lane, work.slices);
    const Measured m = measured(work, row, lane);
    row.each([&](int slice, const auto& numbers) {
      const auto gamma = factors.of(factors.gamma, slice, lane);
      const auto beta = factors.of(factors.beta, slice, lane);
      Run<T, kUnit<T>> unit;
#pragma unroll
      for (int e = 0; e < kUnit<T>; ++e) {
        const float normal = fmaf(m.normal(numbers.values[e]), gamma.values[e], beta.values[e]);
        unit.values[e] = factor_of_product<T>(normal);
      }
      row.unit(slice) = unit;
    });
  }
}

#endif  // from compute capability 8.0 on

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kIt.blocks)
    multiply_normalised(const __grid_constant__ Work<T> work) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  extern __shared__ __align__(128) char shared[];
  char* const ring = shared + work.slices * Tile::kBytesOfSlice;
  const Factors<T> factors(reinterpret_cast<float*>(ring + kGemmStages * Tile::kBytesOfItem),
                           work.slices);
  const auto [tile_of_rows, part] = work.parts(blockIdx.x);
  const int row = tile_of_rows * Tile::kIt.m;
  const int begin = part * work.own, end = min(begin + work.own, work.tiles);
  constexpr int kDepth = gemm_depth(sizeof(T));

  for (int slice = 0; slice < work.slices; ++slice) {
    gemm::load_tile<true, Tile::kIt.m, Tile::kThreads>(
        work.x, work.x.cursor(0, 0), row, slice * kDepth,
        shared_address(shared) + slice * Tile::kBytesOfSlice);
  }
  commit_copies();
  int tile_ahead = begin, slice_ahead = 0;
  const auto load_next = [&](int slot) {
    if (tile_ahead < end) {
      gemm::load_tile<true, Tile::kIt.n, Tile::kThreads>(
          work.weight, work.weight.cursor(0, 0), tile_ahead * Tile::kIt.n, slice_ahead * kDepth,
          shared_address(ring) + slot * Tile::kBytesOfItem);
      if (++slice_ahead == work.slices) ++tile_ahead, slice_ahead = 0;
    }
    commit_copies();  // an empty group where there is nothing, so that the groups can be counted
  };
#pragma unroll
  for (int slot = 0; slot < kGemmStages - 1; ++slot) load_next(slot);
  factors.fill(work);
  wait_for_copies<kGemmStages - 1>();
  __syncthreads();  // the pixels are there, for all
  if (work.slices <= kHeldSlices) {
    normalise<T, Tile, kHeldSlices>(work, factors, shared);
  } else {
    normalise<T, Tile, 0>(work, factors, shared);
  }

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_m = warp / Tile::kIt.warps_n * Tile::kRows * 16;
  const int warp_n = warp % Tile::kIt.warps_n * Tile::kColumns * 8;
  const gemm::Fragments<true, Tile::kIt.m, true> from_x(warp_m, lane);
  const gemm::Fragments<true, Tile::kIt.n, false> from_weight(warp_n, lane);
  int slot = 0;
  for (int tile = begin; tile < end; ++tile) {
    const gemm::Share share{
        0, 0, row + warp_m + lane / 4,
        tile * Tile::kIt.n + warp_n + lane % 4 * gemm::ConvolutionEpilogue<T>::kRun};
    float sum[Tile::kRows][Tile::kColumns][4];
    work.epilogue.template begin<Tile>(share, sum);
    char* item = nullptr;
#pragma unroll 1
    for (int slice = 0; slice < work.slices; ++slice) {
      wait_for_copies<kGemmStages - 2>();
      __syncthreads();  // the item is there, for all, and the pixels; and the item before it is used up
      load_next(slot == 0 ? kGemmStages - 1 : slot - 1);
      item = ring + slot * Tile::kBytesOfItem;
      gemm::multiply_item<T, Tile, false, false>(
          from_x, shared_address(shared) + slice * Tile::kBytesOfSlice, from_weight,
          shared_address(item), sum);
      slot = slot == kGemmStages - 1 ? 0 : slot + 1;
    }
    // The last item's slot is free until the next barrier, for those who wait for it to be read.
    work.epilogue.template finish<Tile>(
        share, sum, reinterpret_cast<float*>(item + warp * Tile::kBytesOfWarp) + lane);
  }
#endif
}

template <class T, int kIndex>
void launch_tile(const Work<T>& work, int blocks, cudaStream_t stream, const char* name) {
  using Its = Tile<kIndex>;
  const auto kernel = multiply_normalised<T, Its>;
  const int bytes = norm_linear_shared_bytes(Its::kIt, work.slices, sizeof(T));
  cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
             name);
  kernel<<<blocks, Its::kThreads, bytes, stream>>>(work);
  cuda_check(cudaGetLastError(), name);
}

template <class T>
void launch(const CudaNormLinearCall& call, const char* name) {
  const CudaConv2dCall& linear = call.linear;
  const Shape& y = linear.y.shape();
  Work<T> work{};
  work.x = rows_of(linear.x.view<const T>(), y, linear.parameters, linear.parameters.padding_mode);
  work.weight = gemm::weight_of<T>(linear);
  work.epilogue = gemm::epilogue_of(linear, work.x);
  work.gamma = call.gamma.view<const float>().data;
  work.beta = call.beta.view<const float>().data;
  work.measure = call.subtract_mean ? PixelMeasure::kDeviation : PixelMeasure::kDeviationOnly;
  work.eps = call.eps;
  const NormLinearProblem problem{work.x.rows, y.c, work.x.columns, sizeof(T)};
  const NormLinearPlan plan = *norm_linear_plan(problem, most_shared_bytes(name));
  const GemmTile& tile = kNormLinearTiles[plan.tile];
  work.slices = problem.slices();
  work.tiles = divide_up(y.c, tile.n);
  work.own = divide_up(work.tiles, plan.parts);
  work.parts = FastDivider(plan.parts);
  const int blocks = divide_up(work.x.rows, tile.m) * plan.parts;
  switch (plan.tile) {
    case 0:
      return launch_tile<T, 0>(work, blocks, linear.stream, name);
    case 1:
      return launch_tile<T, 1>(work, blocks, linear.stream, name);
    case 2:
      return launch_tile<T, 2>(work, blocks, linear.stream, name);
    default:
      return launch_tile<T, 3>(work, blocks, linear.stream, name);
  }
}

}  // namespace mend::norm_linear
