// How the fused norm and linear layer (cuda_fused.cuh) is dealt out to blocks, and its modelled time.
#pragma once

#include <optional>

#include "kernels/cuda/gemm_plan.h"

namespace mend {

/// Rows of C numbers times [C, columns].
struct NormLinearProblem {
  long long rows;
  int columns;
  int channels;  ///< C
  std::size_t number_bytes;

  int slices() const {  ///< of gemm_depth channels
    const int depth = gemm_depth(number_bytes);
    return (channels + depth - 1) / depth;
  }
};

/// What a block computes at a time: m rows, which stay, x n columns.
constexpr GemmTile kNormLinearTiles[] = {
    {128, 128, 2, 4, 1}, {128, 64, 2, 2, 3}, {64, 64, 2, 2, 4}, {32, 64, 1, 2, 6}};

/// Shared memory of a block: its rows, kGemmStages items of the weight, gamma and beta.
constexpr int norm_linear_shared_bytes(const GemmTile& tile, int slices, std::size_t number_bytes) {
  return (slices * tile.m + kGemmStages * tile.n) * kGemmWords * 4 +
         2 * slices * gemm_depth(number_bytes) * 4;
}

struct NormLinearPlan {
  int tile;  ///< of kNormLinearTiles
  int parts;  ///< blocks that share out the columns of one tile's rows, which each of them normalizes
  double seconds;  ///< of an H100's multiprocessors
};

/// The plan with the least modelled time; nothing where a row has more channels than a block has room for. The bits
/// do not depend on it.
std::optional<NormLinearPlan> norm_linear_plan(const NormLinearProblem& problem,
                                               int shared_bytes = 227 << 10);

}  // namespace mend
