// Where queries and keys lie: the partition and the cyclic shift as addresses, as windows.h has them for the
// CPU. The kernels take either kind.
#pragma once

#include "kernels/attention/cuda.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"

namespace mend {

/// A pixel of an image; outside it for a key that is 0.
struct TokenPixel {
  int h, w;
  bool outside;
};

/// The windows of op::WindowAttention.
struct WindowTokens {
  static constexpr bool kAreWindows =
      true;  ///< with as many keys as queries these are the same tokens

  WindowTokens(const CudaWindows& of, const Shape& image)
      : windows(of),
        H(image.h),
        W(image.w),
        I(image.h / of.window_h),
        J(image.w / of.window_w),
        queries(of.window_h * of.window_w),
        keys(of.key_window_h * of.key_window_w),
        count(image.n * I * J),
        by_I(I),
        by_J(J),
        by_window_w(of.window_w),
        by_key_window_w(of.key_window_w) {}

  /// Window (i, j) of image n.
  struct Group {
    int n, i, j;
  };

  __device__ Group group(int number) const {
    const auto [row, j] = by_J(number);
    const auto [n, i] = by_I(row);
    return {n, i, j};
  }

  __device__ TokenPixel query(const Group& at, int token) const {
    const auto [r, s] = by_window_w(token);
    if (windows.dilated) return {r * I + at.i, s * J + at.j, false};
    const int h = at.i * windows.window_h + r + windows.shift_h;
    const int w = at.j * windows.window_w + s + windows.shift_w;
    return {h < H ? h : h - H, w < W ? w : w - W, false};
  }

  __device__ TokenPixel key(const Group& at, int token) const {
    if (keys == queries) return query(at, token);
    const auto [r, s] = by_key_window_w(token);
    const int h = at.i * windows.window_h + r - (windows.key_window_h - windows.window_h) / 2;
    const int w = at.j * windows.window_w + s - (windows.key_window_w - windows.window_w) / 2;
    return {h, w, h < 0 || h >= H || w < 0 || w >= W};
  }

  /// Whether a query and a key of the window may lie in different regions.
  __device__ bool is_masked(const Group& at) const {
    return windows.mask != 0 &&
           ((windows.shift_h > 0 && at.i == I - 1) || (windows.shift_w > 0 && at.j == J - 1));
  }
  __device__ int region(const Group& at, int token) const {
    const auto [r, s] = by_window_w(token);
    const bool below =
        windows.shift_h > 0 && at.i == I - 1 && r >= windows.window_h - windows.shift_h;
    const bool right =
        windows.shift_w > 0 && at.j == J - 1 && s >= windows.window_w - windows.shift_w;
    return 2 * below + right;
  }
  __device__ float mask() const { return windows.mask; }

  CudaWindows windows;
  int H, W, I, J;
  int queries, keys;
  int count;  ///< of groups, whose tokens attend to each other
  FastDivider by_I, by_J, by_window_w, by_key_window_w;
};

/// The rows of op::Attention.
struct RowTokens {
  static constexpr bool kAreWindows = false;

  RowTokens(const Shape& q, const Shape& k)
      : queries(q.w), keys(k.w), count(q.n * q.h), by_H(q.h) {}

  struct Group {
    int n, h;
  };

  __device__ Group group(int number) const {
    const auto [n, h] = by_H(number);
    return {n, h};
  }
  __device__ TokenPixel query(const Group& at, int token) const { return {at.h, token, false}; }
  __device__ TokenPixel key(const Group& at, int token) const { return {at.h, token, false}; }
  __device__ bool is_masked(const Group&) const { return false; }
  __device__ int region(const Group&, int) const { return 0; }
  __device__ float mask() const { return 0; }

  int queries, keys;
  int count;
  FastDivider by_H;
};

/// What the bias adds to a score.
__device__ inline float bias_of(const View<const float>& bias, int head, int key, int query) {
  return bias.data == nullptr ? 0.0f : pixel_of(bias, 0, head, key)[query];
}

}  // namespace mend
