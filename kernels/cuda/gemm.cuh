// Matrix products on tensor cores, of f32 numbers in TF32, or of f16 or bf16 ones, with f32 sums, and of 8-bit integers:
// op::Matmul, convolutions whose rows are pixels, and the gradients of their weights.
//
//   y[m,n] = Σ_d a(m,d) · b(n,d), for each of a batch
//
// What limits a tiled product in f32: shared memory must feed each FMA with two numbers, and FMA units do a tenth
// of what tensor cores do. Here a warp reads 64 x 8 numbers of a and 32 x 8 of b for 16 mma, which are 16,384
// products: 24 accesses of shared memory (32 lanes, no bank conflicts) while the tensor cores of an H100 need
// 27 cycles for the mma. Precision is the price: factors are rounded to 11 significant bits.
//
//   - The work of a block is a sequence of items: 32 words of depth of a tile. A ring of kGemmStages items is in shared
//     memory; while one is multiplied, the two behind it come by cp.async, those of the next tile too: blocks are
//     persistent, so that a sum over 32 channels, one item, has its loads under way during the tiles before it.
//     One barrier an item.
//   - The tile (gemm_plan.cpp) is chosen for how the tiles fill the GPU.
//   - Sums over a long depth with few tiles (a weight's gradient: 64 x 64 sums over a million pixels) are cut into
//     parts; the second kernel (add_parts.cuh) adds them in their order.
//   - In f32 the 8 sums of a quad of lanes are one sector: they leave from the registers. Sums that leave in 16
//     bits are twice as many for a sector: a lane then has 4 neighbours, two of each of two mma (kRun), for which
//     the rows of b are dealt out when weights are packed.
//   - A pair of f16, or four 8-bit integers, takes the place of an f32: ldmatrix and mma.m16n8k16 deal words out as
//     mma.m16n8k8 does. 64 channels of 8 bits are half an item, so the taps of integers follow each other without gaps.
//     Their b has 16 bits, 256 · high + low: all products with `high` come first, then the sums times 256, then those
//     with `low`.
//
// Every sum is one chain of mma in the order of the depth (of a part): its bits do not depend on the tile.
//
// Next ideas: wgmma with operands in shared memory; two groups of warps that share the depth of one tile, for
// deep layers of small images.
#pragma once

#include <algorithm>
#include <type_traits>

#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/gemm_operand.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/run.cuh"

namespace mend::gemm {

/// GemmTile at compile time.
template <int kIndex>
struct Tile {
  static constexpr GemmTile kIt = kGemmTiles[kIndex];
  static constexpr int kThreads = kIt.warps() * 32, kBlocks = kIt.blocks;
  static constexpr int kRows = kIt.m / kIt.warps_m / 16;  // of a warp: mma above each other
  static constexpr int kColumns = kIt.n / kIt.warps_n / 8;
  static constexpr int kBytesOfA = kIt.m * kGemmWords * 4;
  static constexpr int kStageBytes = kIt.stage_bytes();
  static constexpr int kBytesOfWarp = kStageBytes / kIt.warps();
};

/// What numbers are summed up in.
template <class T>
constexpr bool kIsInt8 = std::is_same_v<T, std::int8_t>;
template <class T>
using SumOf = std::conditional_t<kIsInt8<T>, int, float>;

/// One product, or a batch.
template <class A, class B, class Out>
struct Product {
  using Number = typename A::Number;
  using Epilogue = Out;
  A a;
  B b;
  Out epilogue;
  FastDivider tiles_n, tiles_m, splits;
  int works;                 ///< tiles of all parts and products
  int chunks;                ///< gemm_depth each, of all taps
  int chunks_of_split;       ///< the last part may have fewer
  FastDivider steps_of_tap;  ///< chunks, or of integers units of 16 bytes
  int taps;                  ///< of integers
};

/// Where a block is in its sequence of items.
struct Position {
  int work, batch, split, m, n, chunk, end;

  template <class Tile, class Product>
  __device__ void begin(const Product& p, int next_work) {
    work = next_work;
    const auto [tile, column] = p.tiles_n(work);
    const auto [part, row] = p.tiles_m(tile);
    const auto [product, piece] = p.splits(part);
    batch = product;
    split = piece;
    m = row * Tile::kIt.m;
    n = column * Tile::kIt.n;
    chunk = split * p.chunks_of_split;
    end = min(chunk + p.chunks_of_split, p.chunks);
  }
};

/// What a lane holds of a tile: rows m + 16·i and m + 8 + 16·i, columns n + sum_column(j) and the next.
struct Share {
  int batch, split, m, n;
};
template <int kRun>
constexpr int sum_column(int j) {
  static_assert(kRun == 2 || kRun == 4);
  return kRun == 2 ? j * 8 : j / 2 * 16 + j % 2 * 2;
}

/// The column that row `row` of a packed b is, so that a lane's kRun sums are neighbours.
template <int kRun>
__device__ int dealt_column(int row) {
  return kRun == 2 ? row : row / 16 * 16 + row % 8 / 2 * 4 + row / 8 % 2 * 2 + row % 2;
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

template <class Tile, bool kAInner, bool kBInner, class Product>
__device__ void load_item(const Product& p, const Position& at, std::uint32_t stage) {
  using T = typename Product::Number;
  if constexpr (kIsInt8<T>) {
    // Of this thread's unit, which it copies of all rows; behind the last tap there is nothing.
    constexpr int kUnits = kGemmWords / 4, kUnit = 16;
    const int own = threadIdx.x % kUnits, half = p.chunks / 2;
    const int chunk = at.chunk < half ? at.chunk : at.chunk - half;
    const auto [tap, unit] = p.steps_of_tap(chunk * kUnits + own);
    const int depth = (tap < p.taps ? unit - own : p.chunks * kUnits) * kUnit;
    load_tile<kAInner, Tile::kIt.m, Tile::kThreads>(p.a, p.a.cursor(at.batch, tap), at.m, depth,
                                                    stage);
    load_tile<kBInner, Tile::kIt.n, Tile::kThreads>(
        p.b, p.b.cursor(at.batch, 0), at.n, at.chunk * kUnits * kUnit, stage + Tile::kBytesOfA);
    return;
  }
  const auto [tap, chunk] = p.steps_of_tap(at.chunk);
  const int depth = chunk * gemm_depth(sizeof(T));
  load_tile<kAInner, Tile::kIt.m, Tile::kThreads>(p.a, p.a.cursor(at.batch, tap), at.m, depth,
                                                  stage);
  load_tile<kBInner, Tile::kIt.n, Tile::kThreads>(p.b, p.b.cursor(at.batch, tap), at.n, depth,
                                                  stage + Tile::kBytesOfA);
}

/// A number of b as it is packed.
template <class T>
__device__ T packed_number(float number) {
  if constexpr (sizeof(T) == 4) return rounded_to_tf32(number);
  return from_float<T>(number);
}

/// sum += a · b of T, eight words deep.
template <class T>
__device__ void multiply_add_words(SumOf<T> (&sum)[4], const std::uint32_t (&a)[4],
                                   std::uint32_t b_low, std::uint32_t b_high) {
  if constexpr (sizeof(T) == 4) {
    multiply_add_tf32(sum, a, b_low, b_high);
  } else if constexpr (sizeof(T) == 1) {
    multiply_add_int8(sum, a, b_low, b_high);
  } else {
    multiply_add<T>(sum, a, b_low, b_high);
  }
}

template <int kRows, int kColumns>
__device__ void multiply_sums(int (&sum)[kRows][kColumns][4], int factor) {
#pragma unroll
  for (auto& row : sum) {
#pragma unroll
    for (auto& column : row) {
#pragma unroll
      for (int& number : column) number *= factor;
    }
  }
}

/// sum += a · b, one item deep, of a and b in shared memory. kRounds: whether these f32 numbers are not yet in TF32.
template <class T, class Tile, bool kRoundsA, bool kRoundsB, class FragmentsA, class FragmentsB>
__device__ void multiply_item(const FragmentsA& from_a, std::uint32_t item_of_a,
                              const FragmentsB& from_b, std::uint32_t item_of_b,
                              SumOf<T> (&sum)[Tile::kRows][Tile::kColumns][4]) {
#pragma unroll
  for (int step = 0; step < kGemmWords / 8; ++step) {
    std::uint32_t a[Tile::kRows][4], b[Tile::kColumns / 2][4];
    for_each_index<Tile::kColumns / 2>(
        [&](auto j) { from_b.template load<j>(b[j], item_of_b, step); });
    for_each_index<Tile::kRows>([&](auto i) { from_a.template load<i>(a[i], item_of_a, step); });
    if constexpr (kRoundsB) {
#pragma unroll
      for (auto& pair : b) {
#pragma unroll
        for (std::uint32_t& number : pair) number = to_tf32(number);
      }
    }
#pragma unroll
    for (int i = 0; i < Tile::kRows; ++i) {
      if constexpr (kRoundsA) {
#pragma unroll
        for (std::uint32_t& number : a[i]) number = to_tf32(number);
      }
#pragma unroll
      for (int j = 0; j < Tile::kColumns; ++j) {
        multiply_add_words<T>(sum[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
      }
    }
  }
}

#endif  // from compute capability 8.0 on

/// kRoundsB: whether b is not yet in TF32.
template <class Tile, bool kAInner, bool kBInner, bool kRoundsB, class Product>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    multiply(const __grid_constant__ Product p) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  extern __shared__ __align__(128) char shared[];
  const std::uint32_t stages = shared_address(shared);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_m = warp / Tile::kIt.warps_n * Tile::kRows * 16;
  const int warp_n = warp % Tile::kIt.warps_n * Tile::kColumns * 8;
  const Fragments<kAInner, Tile::kIt.m, true> from_a(warp_m, lane);
  const Fragments<kBInner, Tile::kIt.n, false> from_b(warp_n, lane);

  Position ahead{};
  ahead.template begin<Tile>(p, blockIdx.x);
  Position now = ahead;
  const auto load_next = [&](int slot) {
    if (ahead.work < p.works) {
      load_item<Tile, kAInner, kBInner>(p, ahead, stages + slot * Tile::kStageBytes);
      if (++ahead.chunk == ahead.end) ahead.template begin<Tile>(p, ahead.work + gridDim.x);
    }
    commit_copies();  // an empty group where there is nothing, so that the groups can be counted
  };
#pragma unroll
  for (int slot = 0; slot < kGemmStages - 1; ++slot) load_next(slot);
  int slot = 0;
  while (now.work < p.works) {
    const Share share{now.batch, now.split, now.m + warp_m + lane / 4,
                      now.n + warp_n + lane % 4 * Product::Epilogue::kRun};
    using Number = typename Product::Number;
    SumOf<Number> sum[Tile::kRows][Tile::kColumns][4];
    p.epilogue.template begin<Tile>(share, sum);
    std::uint32_t stage = 0;
#pragma unroll 1
    for (; now.chunk < now.end; ++now.chunk) {
      wait_for_copies<kGemmStages - 2>();
      __syncthreads();  // the item is there, for all; and the one before it is used up
      load_next(slot == 0 ? kGemmStages - 1 : slot - 1);
      stage = stages + slot * Tile::kStageBytes;
      if constexpr (kIsInt8<Number>) {
        if (now.chunk == p.chunks / 2) multiply_sums(sum, 256);
      }
      multiply_item<Number, Tile, sizeof(Number) == 4, kRoundsB>(from_a, stage, from_b,
                                                                 stage + Tile::kBytesOfA, sum);
      slot = slot == kGemmStages - 1 ? 0 : slot + 1;
    }
    // The last item's slot is free until the next barrier, for those who wait for it to be read.
    char* const own = shared + (stage - stages) + warp * Tile::kBytesOfWarp;
    p.epilogue.template finish<Tile>(share, sum, reinterpret_cast<float*>(own) + lane);
    now.template begin<Tile>(p, now.work + gridDim.x);
  }
#endif
}

/// Puts the sums where they belong, or, in parts, into working memory.
struct Store {
  static constexpr int kRun = 2;
  float* data;
  int rows, columns;
  std::int64_t row_stride, outer_stride, inner_stride, split_stride;
  FastDivider inner;  ///< batch = outer · inner + ...
  bool runs;          ///< rows start at multiples of a Run's bytes, and have whole ones

  template <class Tile>
  __device__ void begin(const Share&, float (&sum)[Tile::kRows][Tile::kColumns][4]) const {
#pragma unroll
    for (auto& row : sum) {
#pragma unroll
      for (auto& column : row) column[0] = column[1] = column[2] = column[3] = 0;
    }
  }
  template <class Tile>
  __device__ void finish(const Share& share, const float (&sum)[Tile::kRows][Tile::kColumns][4],
                         float*) const {
    runs ? store<Tile, true>(share, sum) : store<Tile, false>(share, sum);
  }

 private:
  template <class Tile, bool kRuns>
  __device__ void store(const Share& share,
                        const float (&sum)[Tile::kRows][Tile::kColumns][4]) const {
    const auto [outside, inside] = inner(share.batch);
    float* const first = data + share.split * split_stride + outside * outer_stride +
                         inside * inner_stride + share.n;
#pragma unroll
    for (int i = 0; i < 2 * Tile::kRows; ++i) {
      const int m = share.m + i * 8;
      if (m >= rows) continue;
      float* const row = first + m * row_stride;
#pragma unroll
      for (int j = 0; j < Tile::kColumns; ++j) {
        const int n = sum_column<kRun>(j), count = min(kRun, columns - share.n - n);
        if (count <= 0) continue;
        const Run<float, kRun> run{{sum[i / 2][j][i % 2 * 2], sum[i / 2][j][i % 2 * 2 + 1]}};
        store_run(row + n, run, kRuns, count);
      }
    }
  }
};

/// What a launch needs besides the operands.
struct Extents {
  int rows, columns, batches, chunks;
  int steps_of_tap;  ///< chunks, or of integers units of 16 bytes
  int taps = 1;
};

template <int kIndex, bool kAInner, bool kBInner, bool kRoundsB, class A, class B, class Epilogue>
void launch_tile(const char* name, Product<A, B, Epilogue> p, const Extents& extents, int splits,
                 cudaStream_t stream) {
  using Its = Tile<kIndex>;
  const int tiles_m = divide_up(extents.rows, Its::kIt.m);
  const int tiles_n = divide_up(extents.columns, Its::kIt.n);
  p.tiles_m = FastDivider(tiles_m);
  p.tiles_n = FastDivider(tiles_n);
  p.splits = FastDivider(splits);
  p.works = tiles_m * tiles_n * splits * extents.batches;
  p.chunks = extents.chunks;
  p.chunks_of_split = divide_up(extents.chunks, splits);
  p.taps = extents.taps;
  p.steps_of_tap = FastDivider(extents.steps_of_tap);
  const auto kernel = multiply<Its, kAInner, kBInner, kRoundsB, Product<A, B, Epilogue>>;
  constexpr int kBytes = Its::kIt.shared_bytes();
  cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes),
             name);
  int resident = 0;
  cuda_check(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, Its::kThreads, kBytes),
      name);
  // As many as fit at once, and all with the same number of tiles, but for the last.
  const int most = std::max(1, resident) * current_cuda_device().info().multiprocessors;
  const int blocks = divide_up(p.works, divide_up(p.works, most));
  kernel<<<blocks, Its::kThreads, kBytes, stream>>>(p);
  cuda_check(cudaGetLastError(), name);
}

/// y = a · b with the tile that the plan chose. kLarge: whether that may be the one that not every GPU has room
/// for, which is never chosen where sums may be split.
template <bool kAInner, bool kBInner, bool kRoundsB, bool kLarge, class A, class B, class Epilogue>
void launch(const char* name, const A& a, const B& b, const Epilogue& epilogue,
            const Extents& extents, const GemmPlan& plan, cudaStream_t stream) {
  Product<A, B, Epilogue> p{};
  p.a = a;
  p.b = b;
  p.epilogue = epilogue;
  const auto with = [&]<int kIndex>() {
    launch_tile<kIndex, kAInner, kBInner, kRoundsB>(name, p, extents, plan.splits, stream);
  };
  switch (plan.tile) {
    case 0:
      if constexpr (kLarge) return with.template operator()<0>();
      [[fallthrough]];
    case 1:
      return with.template operator()<1>();
    case 2:
      return with.template operator()<2>();
    case 3:
      return with.template operator()<3>();
    case 4:
      return with.template operator()<4>();
    default:
      return with.template operator()<5>();
  }
}

}  // namespace mend::gemm
