// Pixels in another order: cyclic shifts, windows as images of their own, other groupings.
//
// Attention inside windows needs none of these, op::WindowAttention reads through addresses; they
// are for networks that do other things in there.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/narrow.h"

namespace mend {
namespace op {

/// y[n, (h + shift_h) mod H, (w + shift_w) mod W, c] = x[n,h,w,c]
///
/// x [N,H,W,C] -> y like x. Any shift, negative too. Equals torch.roll over the rows and columns.
struct Roll {
  static constexpr std::string_view kName = "roll";
  static constexpr bool kOnGpu = true;

  int shift_h = 0, shift_w = 0;
  DType type = DType::kF32;  ///< of x and y; on a GPU f16 or bf16 too

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to) const;
};

/// Windows of an image as images, row by row of windows.
///
///   y[(n·I + i)·J + j, r, s, c] = x[n, i·window_h + r, j·window_w + s, c]      contiguous windows
///   y[(n·I + i)·J + j, r, s, c] = x[n, r·I + i, s·J + j, c]                    dilated ones
///   I = H / window_h,   J = W / window_w
///
/// x [N,H,W,C] -> y [N·I·J, window_h, window_w, C]. Throws ShapeError if H and W are no multiples.
/// Dilated windows hold pixels I rows and J columns apart: the grid of MaxViT (Tu et al. 2022,
/// arXiv:2204.01697) and Omni-SR (Wang et al. 2023, arXiv:2304.10244).
struct WindowPartition {
  static constexpr std::string_view kName = "window_partition";
  static constexpr bool kOnGpu = true;

  int window_h = 8, window_w = 8;
  bool dilated = false;
  DType type = DType::kF32;  ///< of x and y; on a GPU f16 or bf16 too

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to) const;
};

/// The inverse of WindowPartition: x [N·I·J, window_h, window_w, C] -> y [N, height, width, C].
///
/// Throws ShapeError if height and width are no multiples of the windows of x, or there are not as
/// many windows as images of height x width need.
struct WindowMerge {
  static constexpr std::string_view kName = "window_merge";
  static constexpr bool kOnGpu = true;

  int height = 8, width = 8;
  bool dilated = false;
  DType type = DType::kF32;  ///< of x and y; on a GPU f16 or bf16 too

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to) const;
};

/// The same pixels in the same order under other n, h and w: a view of x.
///
/// x [N,H,W,C] -> y [n,h,w,C] with n·h·w = N·H·W. An image as one row of tokens is {N, 1, H·W}.
/// Throws ShapeError if the numbers of pixels differ. Channels stay, so slices can be views too.
struct Reshape {
  static constexpr std::string_view kName = "reshape";

  int n = 1, h = 1, w = 1;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  std::optional<Tensor> view(const Tensor& x) const;
};

/// Channels and columns change places: y[n,h,c,w] = x[n,h,w,c].
///
/// x [N,H,W,C] -> y [N,H,C,W]. A matrix {1,1,rows,columns} becomes its transpose.
struct Transpose {
  static constexpr std::string_view kName = "transpose";
  static constexpr bool kOnGpu = true;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace op

template <class Op>
using RearrangeKernel =
    NarrowableKernel<Op, void (*)(const Op& op, View<const float> x, View<float> y)>;
using RollKernel = RearrangeKernel<op::Roll>;
using WindowPartitionKernel = RearrangeKernel<op::WindowPartition>;
using WindowMergeKernel = RearrangeKernel<op::WindowMerge>;
using TransposeKernel = void (*)(View<const float> x, View<float> y);
std::span<const Variant<op::Roll, RollKernel>> roll_ladder();
std::span<const Variant<op::WindowPartition, WindowPartitionKernel>> window_partition_ladder();
std::span<const Variant<op::WindowMerge, WindowMergeKernel>> window_merge_ladder();
std::span<const Variant<op::Transpose, TransposeKernel>> transpose_ladder();

}  // namespace mend
