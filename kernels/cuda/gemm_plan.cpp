// A model of the products' time, in cycles of one multiprocessor of an H100. One of f16 does twice as much in an
// mma and in a chunk as one in TF32, in the same time.
#include "kernels/cuda/gemm_plan.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "kernels/cuda/machine.h"

namespace mend {
namespace {

constexpr double kClock = 1.7e9;
constexpr double kMultiprocessors = 132;
constexpr double kMmaCycles =
    1.7;  // of m16n8k8 in TF32, m16n8k16 in f16: mma.sync reaches 60% of the peak
constexpr double kMmaOfWarp = 8;         // between two of one warp: a quarter of the multiprocessor
constexpr double kStepLatency = 50;      // of a warp, until the first matrices of a step have come
constexpr double kBarrierCycles = 60;    // of a chunk
constexpr double kCopyCycles = 0.1;      // of 16 bytes: 12 instructions a warp, 4 a cycle
constexpr double kPairCycles = 3;        // of a warp's pairs of sums, on their way out
constexpr double kTileLatency = 1000;    // the sums' way out
constexpr double kStartLatency = 2500;   // launch, first bytes
constexpr double kL2Bytes = 24;          // a cycle, of one multiprocessor
constexpr double kAddingSeconds = 2e-6;  // a launch more, which waits for the first
constexpr int kShortestSplit = 4;        // chunks
constexpr int kLongestSplit = 512;       // for the error's sake: tensor cores cut off what they add

/// filling: blocks of a multiprocessor that sums are cut into parts for.
GemmPlan planned(int index, int filling, const GemmProblem& p) {
  const GemmTile& tile = kGemmTiles[index];
  const double tiles = static_cast<double>((p.rows + tile.m - 1) / tile.m) *
                       static_cast<double>((p.columns + tile.n - 1) / tile.n) * p.batches;
  int splits = 1;
  if (p.may_split) {
    const int wanted = static_cast<int>(kMultiprocessors * filling / tiles);
    splits = std::max({1, std::min(wanted, p.chunks / kShortestSplit),
                       (p.chunks + kLongestSplit - 1) / kLongestSplit});
  }
  const int chunks = (p.chunks + splits - 1) / splits;  // of a part
  splits = (p.chunks + chunks - 1) / chunks;

  const double works = tiles * splits;
  const double of_sm = static_cast<double>(
      static_cast<long long>((works + kMultiprocessors - 1) / kMultiprocessors));
  const double rounds = std::max(1.0, of_sm / tile.blocks);
  const double steps = chunks * (kGemmWords / 8);
  const double mma = tile.m / 16.0 * (tile.n / 8.0);  // of a step
  const double wavefronts =                           // of shared memory, of a step
      4.0 * tile.warps_n * tile.m / 16 + 2.0 * tile.warps_m * tile.n / 8;
  const double copies = (tile.m + tile.n) * 8.0 * kCopyCycles;  // of a chunk
  const double pairs = kPairCycles * mma * 2;
  const double busy = steps * std::max(kMmaCycles * mma, wavefronts) + chunks * copies + pairs;
  const double waiting =
      steps * (kStepLatency + kMmaOfWarp * mma / tile.warps()) + chunks * kBarrierCycles;
  const double loading = chunks * tile.stage_bytes() / kL2Bytes;
  const double cycles = std::max({of_sm * busy, rounds * waiting, of_sm * loading}) +
                        rounds * kTileLatency + kStartLatency;
  double seconds = cycles / kClock;
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
