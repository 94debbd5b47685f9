// Which quality setting a JPEG was written with, read off its quantisation table.
#pragma once

#include <cstdint>
#include <span>

namespace mend {

/// The quality q on the Independent JPEG Group's scale, 1 to 100, whose table of luma is the nearest
/// to `table` (64 steps, row by row) by the sum of absolute differences:
///
///   step = clip((base · s + 50) / 100, 1, 255),   s = 5000 / q below 50, else 200 - 2q
///
/// with `base` from ITU-T T.81, table K.1. Exact for files of libjpeg, Pillow, OpenCV and MATLAB;
/// cameras and editors have tables of their own, for which it is the nearest setting.
int ijg_quality(std::span<const std::uint16_t, 64> table);

}  // namespace mend
