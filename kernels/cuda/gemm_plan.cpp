// A model of the products' time, of gemm_model.h's parts.
#include "kernels/cuda/gemm_plan.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "kernels/cuda/gemm_model.h"
#include "kernels/cuda/machine.h"

namespace mend {
namespace {

constexpr double kAddingSeconds = 2e-6;  // a launch more, which waits for the first
constexpr int kShortestSplit = 4;        // chunks
constexpr int kLongestSplit = 512;       // for the error's sake: tensor cores cut off what they add

/// filling: blocks of a multiprocessor that sums are cut into parts for.
GemmPlan planned(int index, int filling, const GemmProblem& p) {
  using M = GemmModel;
  const GemmTile& tile = kGemmTiles[index];
  const double tiles = static_cast<double>((p.rows + tile.m - 1) / tile.m) *
                       static_cast<double>((p.columns + tile.n - 1) / tile.n) * p.batches;
  int splits = 1;
  if (p.may_split) {
    const int wanted = static_cast<int>(M::kMultiprocessors * filling / tiles);
    splits = std::max({1, std::min(wanted, p.chunks / kShortestSplit),
                       (p.chunks + kLongestSplit - 1) / kLongestSplit});
  }
  const int chunks = (p.chunks + splits - 1) / splits;  // of a part
  splits = (p.chunks + chunks - 1) / chunks;

  const double works = tiles * splits;
  const double of_sm = M::rounds_up(works / M::kMultiprocessors);
  const double rounds = std::max(1.0, of_sm / tile.blocks);
  const double copies = (tile.m + tile.n) * 8.0 * M::kCopyCycles;  // of a chunk
  const double busy = chunks * (M::item_cycles(tile) + copies) + M::sums_cycles(tile);
  const double waiting = chunks * M::item_latency(tile);
  const double loading = chunks * tile.stage_bytes() / M::kL2Bytes;
  const double cycles = std::max({of_sm * busy, rounds * waiting, of_sm * loading}) +
                        rounds * M::kTileLatency + M::kStartLatency;
  double seconds = cycles / M::kClock;
  if (splits > 1) {
    const double sums = static_cast<double>(p.rows) * p.columns * p.batches * splits;
    seconds += kAddingSeconds + 2 * 4 * sums / NominalGpu::kBytesPerSecond;
  }
  return {index, splits, seconds};
}

}  // namespace

GemmPlan gemm_plan(const GemmProblem& problem, int shared_bytes) {
  const int most = problem.may_split ? kGemmSmallShared : shared_bytes;
  GemmPlan best{0, 1, std::numeric_limits<double>::infinity()};
  for (int i = 0; i < static_cast<int>(std::size(kGemmTiles)); ++i) {
    if (kGemmTiles[i].shared_bytes() > most) continue;
    for (int filling = 1; filling <= (problem.may_split ? kGemmTiles[i].blocks : 1); ++filling) {
      const GemmPlan plan = planned(i, filling, problem);
      if (plan.seconds < best.seconds) best = plan;
    }
  }
  return best;
}

}  // namespace mend
