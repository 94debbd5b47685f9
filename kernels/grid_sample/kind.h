// What a sampling does between pixels and outside the image; for host and device code.
#pragma once

namespace mend {

enum class SampleMode {
  kBilinear,
  kNearest,  // halves go to the even pixel
  kBicubic,  // Keys 1981 with a = -0.75
};

/// What a position outside the image reads.
enum class SamplePadding {
  kZeros,
  kBorder,      // the nearest edge pixel
  kReflection,  // the image mirrored: at its edge pixels' centres with align_corners, else at its edges
};

}  // namespace mend
