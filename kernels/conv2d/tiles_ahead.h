// Pixels of Winograd's tiles, asked for before they are needed: a tile's rows lie far apart, so no hardware prefetcher
// sees them coming.
#pragma once

#include "kernels/conv2d/winograd.h"

namespace mend {

/// Of each tile the pixels [top, top + rows) x [left, left + columns), seen from its first; rows that stick out of
/// the image are left out.
struct TileWindow {
  int top, left, rows, columns;
};

/// Walks over the pixels of tiles that follow each other and asks for a few cache lines at a time, for L2: what the
/// products have in L1 stays there.
template <class T>
class TilesAhead {
 public:
  /// `channels` of an image from `first_channel` on, for `tiles` of the m x m tiles of y from number `first` on.
  TilesAhead(const View<const T>& image, int first_channel, int channels, const Shape& y, int m,
             std::int64_t first, int tiles, const TileWindow& window)
      : image_(image),
        first_channel_(first_channel),
        channels_(channels),
        y_(y),
        m_(m),
        tiles_(tiles),
        window_(window) {
    if (tiles <= 0) return;
    place_ = tile_place(first, m, y);
    start_row();
  }

  /// Of all tiles.
  std::int64_t lines() const {
    return std::int64_t{tiles_} * window_.rows * window_.columns *
           ((channels_ + kLine - 1) / kLine);
  }

  void fetch(std::int64_t lines) {
    while (lines > 0 && tiles_ > 0) {
      if (pixel_ == nullptr) {
        lines -= window_.columns;  // as if they were there: the pace stays even
        next_row();
        continue;
      }
      for (int c = 0; c < channels_; c += kLine, --lines)
        __builtin_prefetch(pixel_ + c, 0, kIntoL2);
      pixel_ += image_.w_stride;
      if (++column_ == window_.columns) next_row();
    }
  }

 private:
  static constexpr int kLine = 64 / sizeof(T);  // numbers
  static constexpr int kIntoL2 = 2;

  void next_row() {
    if (++row_ == window_.rows) {
      row_ = 0;
      if (--tiles_ == 0) return;
      next_tile();
    }
    start_row();
  }

  void next_tile() {
    place_.q += m_;
    if (place_.q < y_.w) return;
    place_.q = 0;
    place_.p += m_;
    if (place_.p < y_.h) return;
    place_.p = 0;
    ++place_.n;
  }

  void start_row() {
    column_ = 0;
    const int h = place_.p + window_.top + row_, w = place_.q + window_.left;
    const bool inside =
        h >= 0 && h < image_.shape.h && w >= 0 && w + window_.columns <= image_.shape.w;
    pixel_ = inside ? image_.pixel(place_.n, h, w) + first_channel_ : nullptr;
  }

  View<const T> image_;
  int first_channel_, channels_;
  Shape y_;
  int m_, tiles_;
  TileWindow window_;
  TilePlace place_{};
  int row_ = 0, column_ = 0;
  const T* pixel_ = nullptr;
};

}  // namespace mend
