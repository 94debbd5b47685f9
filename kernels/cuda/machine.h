// Nominal peaks of a GPU, from which CUDA rungs model their time, as NominalMachine's of the CPU's: an H100.
// Ratios matter, not the values.
#pragma once

namespace mend {

struct NominalGpu {
  static constexpr double kTensorFlopsPerSecond =
      600e12;  ///< f16 by mma.sync, which reaches 60% of wgmma's
  static constexpr double kFlopsPerSecond = 60e12;        ///< f32
  static constexpr double kCachedBytesPerSecond = 20e12;  ///< L1 of all multiprocessors
  static constexpr double kBytesPerSecond = 3e12;         ///< DRAM
  static constexpr long long kL2Bytes = 50LL << 20;
};

/// One of its multiprocessors, for models in cycles of kernels on mma.sync.
struct NominalMultiprocessor {
  static constexpr int kCount = 132;
  static constexpr double kClock = 1.7e9;
  /// Of m16n8k8 in TF32, of m16n8k16 in f16: mma.sync reaches 60% of the peak.
  static constexpr double kMmaCycles = 1.7;
  static constexpr double kCopyCycles = 1.4;  ///< of a pixel's 8 copies: 22 instructions, 4 a cycle
  static constexpr double kPairCycles = 3;    ///< of a warp's pairs of sums
  static constexpr double kTileLatency = 1500;   ///< the sums' way out, and what a barrier costs
  static constexpr double kStartLatency = 2500;  ///< launch, first bytes
  static constexpr double kL2Bytes = 24;         ///< a cycle
};

}  // namespace mend
