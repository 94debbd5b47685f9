// How a pixel is measured; device code includes this alone.
#pragma once

namespace mend {

/// How LayerNorm, PixelNorm and L2Normalize, which share a kernel, measure a pixel.
enum class PixelMeasure {
  kDeviation,       // √(variance + eps), the mean is subtracted
  kDeviationOnly,   // √(variance + eps), the mean is not subtracted
  kRootMeanSquare,  // √(Σx²/C + eps)
  kLength,          // max(√Σx², eps)
};

}  // namespace mend
