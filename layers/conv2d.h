// Convolution with its parameters.
#pragma once

#include "kernels/conv2d/conv2d.h"
#include "weights/scope.h"

namespace mend {

/// Rows and columns of a convolution kernel; a single number is a square.
struct KernelSize {
  constexpr KernelSize(int size) : h(size), w(size) {}  // NOLINT: implicit by design
  constexpr KernelSize(int rows, int columns) : h(rows), w(columns) {}
  int h, w;
};

/// `padding` that keeps the size at stride 1: (kernel − 1)/2 · dilation on each side.
constexpr int kSamePadding = -1;

struct Conv2dOptions {
  int stride = 1;
  int padding = kSamePadding;
  int dilation = 1;
  int groups = 1;
  bool bias = true;
  PaddingMode padding_mode = PaddingMode::kZeros;
};

/// torch.nn.Conv2d: `weight` [out, in/groups, kernel.h, kernel.w] and `bias` [out] of the scope.
/// x [N,H,W,in] -> [N,P,Q,out], see op::Conv2d. Throws ShapeError if x does not fit.
struct Conv2d {
  Conv2d(const Scope& p, int in, int out, KernelSize kernel = 3, const Conv2dOptions& options = {});

  Tensor operator()(const Tensor& x) const;

  Tensor weight;  // {out, kernel.h, kernel.w, in/groups}
  Tensor bias;    // {1,1,1,out} or absent
  op::Conv2d call;
};

}  // namespace mend
