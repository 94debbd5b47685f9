// Which input rows an output row is made of, and with which weights; columns likewise.
#pragma once

#include <cstdint>

#include "engine/op.h"
#include "kernels/resample/resample.h"

namespace mend {

/// One axis of a resampling: rows or columns.
struct Axis {
  ResampleMode mode = ResampleMode::kNearest;
  bool align_corners = false, antialias = false;
  int input = 1, output = 1;  ///< extents
  double scale = 0;           ///< output pixels per input pixel, if given (> 0)
};

Axis rows_of(const op::Resample& resample, const Shape& x);
Axis columns_of(const op::Resample& resample, const Shape& x);

/// Input rows per output row: in/out if that is known in whole numbers, else `inexact`.
struct Ratio {
  std::int64_t in = 1, out = 1;
  double inexact = 0;

  bool exact() const { return inexact == 0; }
};
Ratio ratio_of(const Axis& axis);

/// The input rows [first, first + count).
struct Taps {
  std::int64_t first = 0;
  int count = 0;
};

/// No output row has more taps than this.
int most_taps(const Axis& axis);
/// The taps of output row p of an image without edges. Writes their weights, most_taps at most.
Taps endless_taps(const Axis& axis, int p, double* weights);
/// The taps within the image; the weights add up to 1. Beyond the edge the edge pixel is seen again,
/// but with antialias nothing is (as in PyTorch).
Taps taps_of(const Axis& axis, int p, double* weights);

/// All taps of an axis, in borrowed memory.
struct TapTable {
  int* first = nullptr;
  int* count = nullptr;
  float* weights = nullptr;  ///< those of row p from p·stride on
  int stride = 0;
};

/// Bytes that make_tap_table needs of its scratch.
std::int64_t tap_table_bytes(const Axis& axis);
/// Fills a table at the start of `scratch` and takes it off.
TapTable make_tap_table(const Axis& axis, Scratch& scratch);

}  // namespace mend
