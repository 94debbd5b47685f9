// What the models of the products on tensor cores (gemm_plan.cpp) say of their parts, in cycles of one multiprocessor
// of an H100. A product of f16 does twice as much in an mma and in an item as one in TF32, in the same time.
#pragma once

#include <algorithm>

#include "kernels/cuda/gemm_plan.h"

namespace mend {

struct GemmModel {
  static constexpr double kClock = 1.7e9, kMultiprocessors = 132;
  /// Of m16n8k8 in TF32 or m16n8k16 in f16: mma.sync reaches 60% of the peak.
  static constexpr double kMmaCycles = 1.7;
  static constexpr double kMmaOfWarp = 8;  ///< between two of one warp: a quarter of all
  static constexpr double kStepLatency =
      50;  ///< of a warp, until a step's first matrices have come
  static constexpr double kBarrierCycles = 60;   ///< of an item
  static constexpr double kPairCycles = 3;       ///< of a warp's pairs of sums on their way out
  static constexpr double kTileLatency = 1000;   ///< the sums' way out
  static constexpr double kStartLatency = 2500;  ///< launch, first bytes
  static constexpr double kL2Bytes = 24;         ///< a cycle
  static constexpr double kCopyCycles = 0.1;     ///< of 16 bytes: 12 instructions a warp, 4 a cycle
  static constexpr double kSteps = kGemmWords / 8;  ///< of an item, 8 words deep

  static double rounds_up(double tiles) {
    const auto whole = static_cast<double>(static_cast<long long>(tiles));
    return whole < tiles ? whole + 1 : whole;
  }
  /// mma of a tile in a step.
  static double mma(const GemmTile& tile) { return tile.m / 16.0 * (tile.n / 8.0); }
  /// What an item costs a multiprocessor whose other blocks have work meanwhile: mma, or reads of shared memory.
  static double item_cycles(const GemmTile& tile) {
    const double wavefronts = 4.0 * tile.warps_n * tile.m / 16 + 2.0 * tile.warps_m * tile.n / 8;
    return kSteps * std::max(kMmaCycles * mma(tile), wavefronts);
  }
  /// How long a block takes for an item at least.
  static double item_latency(const GemmTile& tile) {
    return kSteps * (kStepLatency + kMmaOfWarp * mma(tile) / tile.warps()) + kBarrierCycles;
  }
  /// What a tile's sums cost on their way out.
  static double sums_cycles(const GemmTile& tile) { return kPairCycles * mma(tile) * 2; }
};

}  // namespace mend
