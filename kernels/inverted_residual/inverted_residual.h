// An inverted residual block in one pass: what a plan makes of norm, 1x1 convolution to more channels,
// depthwise 3x3, gate, 1x1 convolution back and residual, or of the first three or four of them.
//
//   x ──▶ norm ──▶ 1x1, C → J ──▶ depthwise 3x3 ─┬─▶ activation ─▶ ·  ──▶ 1x1, J/2 → K ──▶ + ──▶ y
//                                                └────────────────▶      residual ────────▶
//
// The hidden features, J channels, are two to ten times as wide as x: at 128x128 with 510 of them 33 MB
// that single steps write and read three times. Here a strip of columns goes down the image with three
// rows of them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/narrow.h"
#include "kernels/norm_linear/norm_linear.h"

namespace mend {

struct InvertedResidualKernel;
namespace op {
struct InvertedResidual;
}
using InvertedResidualVariant = Variant<op::InvertedResidual, InvertedResidualKernel>;

namespace op {

/// h = depthwise(expand(norm(x)))                       [N,H,W,J]
/// g = gates ? gate(h[.., 0:J/2]) · h[.., J/2:J] : h    [N,H,W,G]
/// y = projects ? project(g) + residual : g
///
/// x [N,H,W,C]   gamma, beta [1,1,1,C] or absent: op::LayerNorm's
/// expand_weight [J,1,1,C]   depthwise_weight [J,3,3,1]   project_weight [K,1,1,G]
/// expand_bias, depthwise_bias [1,1,1,J], project_bias [1,1,1,K]; each may be absent
/// residual like y or absent -> y [N,H,W,G] or [N,H,W,K]
/// `expand` and `depthwise` may have an activation without slopes, depthwise only if nothing gates;
/// `project` a scale and a residual. Pixels outside the image are zeros of the hidden features.
/// Throws ShapeError as the parts do, or if they have more than that.
/// Sandler et al. 2018, arXiv:1801.04381, figure 3b; with gates the feed-forward layer of Restormer
/// (Zamir et al. 2022, arXiv:2111.09881, equation 3) and the first half of NAFNet's block (Chen et al.
/// 2022, arXiv:2204.04676, figure 2c).
struct InvertedResidual {
  static constexpr std::string_view kName = "inverted_residual";
  enum Slot {
    kX,
    kGamma,
    kBeta,
    kExpandWeight,
    kExpandBias,
    kDepthwiseWeight,
    kDepthwiseBias,
    kProjectWeight,
    kProjectBias,
    kResidual,
    kSlots
  };

  LayerNorm norm;
  Conv2d expand, depthwise;
  bool gates = false;
  Activation gate = {};
  bool projects = false;
  Conv2d project = {};
  /// The rung to run and whose packing the weights have; null: choose one, they are as above.
  const InvertedResidualVariant* variant = nullptr;
  /// Of x, residual and y: f32, f16 or bf16. The rest is f32, as the arithmetic is.
  DType type = DType::kF32;

  /// This operation on that rung; the weights must be packed as its parts say if the rung wants it so.
  InvertedResidual on(const InvertedResidualVariant& rung) const;
  /// J and G.
  int hidden() const { return expand.outputs; }
  int gated() const { return gates ? expand.outputs / 2 : expand.outputs; }

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in) const;
  std::optional<Fusion> absorb_through(const AnyOp& next, const ThroughViews& views,
                                       const Shapes& in) const;
  std::optional<Lowering> lower(const Shapes& in) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to, DeviceKind device) const;
};

/// `first` and the depthwise convolution behind it as one operation, if the two are such a pair, have
/// 32 to 1024 hidden channels, and nobody forced a rung of either.
std::optional<Fusion> fuse_inverted_residual(const NormLinear& first, const Conv2d& depthwise,
                                             int position);

}  // namespace op

/// One call of a rung on images of T; weights are as the rung wants them. Absent operands have no data.
template <class T>
struct TypedInvertedResidualCall {
  const op::InvertedResidual& op;
  View<const T> x;
  View<const float> gamma, beta;
  View<const float> expand_weight, expand_bias, depthwise_weight, depthwise_bias;
  View<const float> project_weight, project_bias;
  View<const T> residual;
  View<T> y;
  Scratch scratch;
};
using InvertedResidualCall = TypedInvertedResidualCall<float>;
template <class T>
using InvertedResidualFunction = void (*)(const TypedInvertedResidualCall<T>& call);

struct InvertedResidualKernel {
  bool packs_weights = false;  ///< as conv2d/direct and conv2d/depthwise do
  std::int64_t (*scratch_bytes)(const op::InvertedResidual& op, const Shapes& in) = nullptr;
  ByType<InvertedResidualFunction> run;
};

/// All rungs, naive to fastest.
std::span<const InvertedResidualVariant> inverted_residual_ladder();

// The rungs.
std::int64_t inverted_residual_reference_scratch(const op::InvertedResidual& op, const Shapes& in);
void inverted_residual_reference(const InvertedResidualCall& call);
std::string inverted_residual_strips_refuses(const op::InvertedResidual& op, const Shapes& in);
std::int64_t inverted_residual_strips_scratch(const op::InvertedResidual& op, const Shapes& in);
void inverted_residual_strips(const InvertedResidualCall& call);
void inverted_residual_strips_f16(const TypedInvertedResidualCall<Half>& call);
void inverted_residual_strips_bf16(const TypedInvertedResidualCall<BFloat16>& call);

}  // namespace mend
