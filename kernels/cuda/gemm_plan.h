// The tiles of the matrix products on tensor cores (gemm.cuh), and which one a product gets.
#pragma once

#include <cstddef>

namespace mend {

/// Of the sums in shared memory at a time: 128 bytes, all banks. A word is one f32 number or two of 16 bits.
constexpr int kGemmWords = 32;
/// The same in numbers.
constexpr int gemm_depth(std::size_t number_bytes) {
  return kGemmWords * 4 / static_cast<int>(number_bytes);
}
constexpr int kGemmStages = 3;  ///< so many of these are there or under way

/// What one block computes at a time: m rows x n columns.
struct GemmTile {
  int m, n, warps_m, warps_n;
  int blocks;  ///< of a multiprocessor, that registers and shared memory must suffice for

  constexpr int warps() const { return warps_m * warps_n; }
  constexpr int stage_bytes() const { return (m + n) * kGemmWords * 4; }
  constexpr int shared_bytes() const { return kGemmStages * stage_bytes(); }
};

/// 144, 96, 72, 60, 48 and 36 KB of shared memory.
constexpr GemmTile kGemmTiles[] = {{256, 128, 4, 2, 1}, {128, 128, 2, 4, 2}, {128, 64, 2, 2, 3},
                                   {128, 32, 4, 1, 3},  {64, 64, 2, 2, 4},   {32, 64, 1, 2, 6}};
constexpr int kGemmSmallShared = 99 << 10;  ///< what a block may have on every GPU since Ampere

/// A batch of products [M, depth] x [depth, N].
struct GemmProblem {
  long long rows;  ///< M
  int columns;     ///< N
  int chunks;      ///< of gemm_depth numbers that the sums are long
  int batches = 1;
  bool may_split = false;  ///< whether a sum may be cut into parts, which are added at the end
};

struct GemmPlan {
  int tile;    ///< of kGemmTiles
  int splits;  ///< parts of a sum; at most as many as there are chunks
  double seconds;
};

/// The tile with the least modelled time of those that fit into shared_bytes, what a block may have. Splits, and
/// with them the bits of the sums, depend on the problem alone: where it may split, tiles fit every GPU.
GemmPlan gemm_plan(const GemmProblem& problem, int shared_bytes = 227 << 10);

}  // namespace mend
