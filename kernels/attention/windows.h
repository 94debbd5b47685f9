// Where the pixels of windows lie: the partition and the cyclic shift as addresses.
#pragma once

#include <limits>

#include "kernels/attention/attention.h"

namespace mend {

/// The windows of one image, I x J of them; (i, j) is a window, (r, s) a token's place in it.
struct WindowGrid {
  WindowGrid(const op::WindowAttention& attention, const Shape& image)
      : op(attention), H(image.h), W(image.w), I(H / op.window_h), J(W / op.window_w) {}

  /// A pixel of the image; outside it for a key that is 0.
  struct Pixel {
    int h = 0, w = 0;
    bool outside = false;
  };

  Pixel query(int i, int j, int r, int s) const {
    if (op.dilated) return {r * I + i, s * J + j};
    const int h = i * op.window_h + r + op.shift_h, w = j * op.window_w + s + op.shift_w;
    return {h < H ? h : h - H, w < W ? w : w - W};
  }

  Pixel key(int i, int j, int r, int s) const {
    if (op.keys() == op.queries()) return query(i, j, r, s);
    const int h = i * op.window_h + r - (op.key_window_h() - op.window_h) / 2;
    const int w = j * op.window_w + s - (op.key_window_w() - op.window_w) / 2;
    return {h, w, h < 0 || h >= H || w < 0 || w >= W};
  }

  /// Tokens with the same number were neighbours before the roll. Only in the last row and column
  /// of windows, over the rolled edges, are there several: 2·(below the edge) + (right of it).
  int region(int i, int j, int r, int s) const {
    const bool below = op.shift_h > 0 && i == I - 1 && r >= op.window_h - op.shift_h;
    const bool right = op.shift_w > 0 && j == J - 1 && s >= op.window_w - op.shift_w;
    return 2 * below + right;
  }

  bool is_masked(int i, int j) const {
    return op.mask != WindowMask::kNone &&
           ((op.shift_h > 0 && i == I - 1) || (op.shift_w > 0 && j == J - 1));
  }

  const op::WindowAttention& op;
  int H, W;
  int I, J;
};

/// What is added to a score across regions.
inline float mask_value(WindowMask mask) {
  switch (mask) {
    case WindowMask::kNone:
      return 0;
    case WindowMask::kMinus100:
      return -100;
    case WindowMask::kMinusInfinity:
      return -std::numeric_limits<float>::infinity();
  }
  return 0;
}

}  // namespace mend
