// How the two-dimensional transforms are cut into pieces of work for the vector unit.
//
// A line is one one-dimensional transform for all channels; a bundle is 16 neighbouring (line,
// channel) lanes, transformed side by side, so that one vector instruction serves all of them and
// narrow images (3 channels) fill their vectors with several lines.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/fft/tables.h"

namespace mend {

/// Lanes of a bundle: one AVX-512 vector, two of AVX2, four of SSE or NEON; the same everywhere.
constexpr int kBundle = 16;
/// Floats of one element of a line in a bundle: the real parts of all lanes, then the imaginary.
constexpr int kElement = 2 * kBundle;

/// Windows of one size at equal distances in a tensor: the images of a batch, or a row of patches.
template <class T>
struct Windows {
  T* first;
  std::int64_t stride, h_stride, w_stride;  // in elements, between windows, rows and columns

  T* at(std::int64_t window, int h, int w) const {
    return first + window * stride + h * h_stride + w * w_stride;
  }
};

/// One transform of `windows` windows of height x width pixels with `channels` real channels.
struct FftJob {
  std::int64_t windows;
  int height, width, channels;
  const FftTables *along_h, *along_w;
  float scale;

  /// Two rows share one complex transform: they are its real and its imaginary part.
  int row_pairs() const { return (height + 1) / 2; }
  int columns() const { return width / 2 + 1; }
  std::int64_t row_lanes() const { return windows * row_pairs() * channels; }
  std::int64_t column_lanes() const { return windows * columns() * channels; }
};

constexpr std::int64_t bundles(std::int64_t lanes) { return (lanes + kBundle - 1) / kBundle; }

/// Neighbouring channels of one line, and where they stand in a bundle.
struct Segment {
  std::int64_t window;
  int line;  ///< in its window
  int channel, count;
  int lane;
};

/// The segments of one bundle.
struct Segments {
  Segment items[kBundle];
  int count = 0;

  Segments(std::int64_t bundle, std::int64_t lanes, int lines, int channels) {
    const std::int64_t first = bundle * kBundle;
    const std::int64_t last = std::min(lanes, first + kBundle);
    for (std::int64_t lane = first; lane < last; lane += items[count++].count) {
      const std::int64_t line = lane / channels;
      const int channel = static_cast<int>(lane % channels);
      items[count] = {line / lines, static_cast<int>(line % lines), channel,
                      static_cast<int>(std::min<std::int64_t>(channels - channel, last - lane)),
                      static_cast<int>(lane - first)};
    }
  }
  const Segment* begin() const { return items; }
  const Segment* end() const { return items + count; }
};

}  // namespace mend
