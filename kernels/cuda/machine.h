// Nominal peaks of a GPU, from which CUDA rungs model their time, as NominalMachine's of the CPU's: an H100.
// Ratios matter, not the values.
#pragma once

#include <cstdint>

namespace mend {

struct NominalGpu {
  static constexpr double kTensorFlopsPerSecond =
      600e12;  ///< f16 by mma.sync, which reaches 60% of wgmma's
  static constexpr double kFlopsPerSecond = 60e12;        ///< f32
  static constexpr double kCachedBytesPerSecond = 20e12;  ///< L1 of all multiprocessors
  static constexpr double kBytesPerSecond = 3e12;         ///< DRAM
  static constexpr std::int64_t kL2Bytes = 50 << 20;
};

}  // namespace mend
