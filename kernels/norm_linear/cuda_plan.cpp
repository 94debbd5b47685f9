// A model in cycles of one multiprocessor of an H100, with the constants of gemm_plan.cpp.
#include "kernels/norm_linear/cuda_plan.h"

#include <algorithm>
#include <iterator>

#include "kernels/cuda/gemm_model.h"

namespace mend {
namespace {

/// Of a number of a row: some 40 instructions for a warp's 32, 4 a cycle.
constexpr double kNormCycles = 0.3;
/// How long eight lanes take for a row at least.
constexpr double kRowLatency = 400;

NormLinearPlan planned(int index, int parts, const NormLinearProblem& p) {
  using M = GemmModel;
  const GemmTile& tile = kNormLinearTiles[index];
  const int slices = p.slices();
  const int tiles_n = (p.columns + tile.n - 1) / tile.n;
  const int own = (tiles_n + parts - 1) / parts;  // tiles of columns that a block has
  const double blocks = static_cast<double>((p.rows + tile.m - 1) / tile.m) * parts;
  const double of_sm = M::rounds_up(blocks / M::kMultiprocessors);
  const int room = (227 << 10) / norm_linear_shared_bytes(tile, slices, p.number_bytes);
  const double rounds = std::max(1.0, of_sm / std::clamp(room, 1, tile.blocks));

  const double items = static_cast<double>(own) * slices;
  const double norm = slices * tile.m * gemm_depth(p.number_bytes) * kNormCycles;
  const double copies = (slices * tile.m + items * tile.n) * 8 * M::kCopyCycles;
  const double busy = norm + copies + items * M::item_cycles(tile) + own * M::sums_cycles(tile);
  const double rows_of_lanes = tile.m * 8.0 / (tile.warps() * 32);
  const double waiting = M::kTileLatency + rows_of_lanes * kRowLatency +
                         items * M::item_latency(tile) + own * M::kTileLatency;
  const double loading = (slices * tile.m + items * tile.n) * kGemmWords * 4 / M::kL2Bytes;
  const double cycles =
      std::max({of_sm * busy, rounds * waiting, of_sm * loading}) + M::kStartLatency;
  return {index, parts, cycles / M::kClock};
}

}  // namespace

std::optional<NormLinearPlan> norm_linear_plan(const NormLinearProblem& problem, int shared_bytes) {
  std::optional<NormLinearPlan> best;
  for (int i = 0; i < static_cast<int>(std::size(kNormLinearTiles)); ++i) {
    const GemmTile& tile = kNormLinearTiles[i];
    const int bytes = norm_linear_shared_bytes(tile, problem.slices(), problem.number_bytes);
    if (bytes > shared_bytes) continue;
    const int tiles_n = (problem.columns + tile.n - 1) / tile.n;
    for (int parts = 1; parts <= tiles_n; ++parts) {
      const NormLinearPlan plan = planned(i, parts, problem);
      if (!best || plan.seconds < best->seconds) best = plan;
    }
  }
  return best;
}

}  // namespace mend
