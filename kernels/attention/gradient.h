// What the gradients of attentions are made of. The scores are computed again, then written out: the
// gradient is a chain of matrix products over all windows and heads at once,
//
//   S = scale·Q·Kᵀ + bias + mask     P = softmax(S)     Y = P·V
//   dV = Pᵀ·dY     dP = dY·Vᵀ     dS = P ∘ (dP − Σ_k P·dP)     dQ = scale·dS·K     dK = scale·dSᵀ·Q
//
// for each window and head (Dao et al. 2022, arXiv:2205.14135, appendix B.2). SplitWindows makes its
// operands, MergeWindows takes its results back to their pixels.
//
// Next idea: as in that paper, one kernel that keeps S and P in the cache and writes neither.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/attention/attention.h"

namespace mend::op {

/// The tokens of each window and head as a matrix.
///
///   y[(n·I + i)·J + j, head, t, d] = x[n, h, w, head·C/heads + d]
///
/// (h,w) is token t of window (i,j) of `windows`, of its queries or, with `keys`, of its keys, which
/// may lie outside the image and are 0 there.
/// x [N,H,W,C] -> y [N·I·J, heads, tokens, C/heads]
struct SplitWindows {
  static constexpr std::string_view kName = "split_windows";
  static constexpr bool kOnGpu = true;

  WindowAttention windows;
  bool keys = false;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// The gradient of SplitWindows: every token is added to its pixel; windows of keys may share pixels.
///
/// x [N·I·J, heads, tokens, C/heads] -> y [N,height,width,C]
struct MergeWindows {
  static constexpr std::string_view kName = "merge_windows";
  static constexpr bool kOnGpu = true;

  WindowAttention windows;
  bool keys = false;
  int height = 0, width = 0;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// The scores of shifted windows with the mask added that keeps apart what were no neighbours.
///
/// x [N·I·J, heads, queries, keys], the windows of images of height x width -> y like x
struct MaskWindows {
  static constexpr std::string_view kName = "mask_windows";
  static constexpr bool kOnGpu = true;

  WindowAttention windows;
  int height = 0, width = 0;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// The gradient of GatherBias with respect to its table.
///
///   y[0,0,e,head] = Σ dy[0,head,k,q] over all q and k with index[0,0,q,k] = e
///
/// dy [1,heads,keys,queries]   index [1,1,queries,keys] -> y [1,1,entries,heads]
struct GatherBiasGradient {
  static constexpr std::string_view kName = "gather_bias_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kDy, kIndex };

  int entries = 1;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace mend::op

namespace mend {

template <class Op>
using MoveTokensKernel = void (*)(const Op& op, View<const float> x, View<float> y);
using GatherBiasGradientKernel = void (*)(const op::GatherBiasGradient& op, View<const float> dy,
                                          View<const float> index, View<float> y, Scratch scratch);

std::span<const Variant<op::SplitWindows, MoveTokensKernel<op::SplitWindows>>>
split_windows_ladder();
std::span<const Variant<op::MergeWindows, MoveTokensKernel<op::MergeWindows>>>
merge_windows_ladder();
std::span<const Variant<op::MaskWindows, MoveTokensKernel<op::MaskWindows>>> mask_windows_ladder();
std::span<const Variant<op::GatherBiasGradient, GatherBiasGradientKernel>>
gather_bias_gradient_ladder();

}  // namespace mend
