// A transformer's feed-forward layer in one pass: what a plan makes of layer norm, linear layer,
// activation or gate, and linear layer.
//
// Alone, the first linear layer writes the hidden features, two to four times as wide as x, and the
// second reads them again: 33 MB each way at 256x256 with 120 of them. Here they stay in L1 and L2.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/narrow.h"
#include "kernels/norm_linear/norm_linear.h"

namespace mend {

struct NormMlpKernel;
namespace op {
struct NormMlp;
}
using NormMlpVariant = Variant<op::NormMlp, NormMlpKernel>;

namespace op {

/// h = activation(W1 · norm(x) + b1), for each pixel
/// g = gates ? gate(h[.., 0:J/2]) · h[.., J/2:J] : h
/// y = contracts ? scale · (W2 · g + b2) + residual : g
///
/// x [N,H,W,C]   weight1 [J,1,1,C]   bias1 [1,1,1,J] or absent   weight2 [K,1,1,G]   bias2 [1,1,1,K]
/// or absent   residual like y or absent   gamma, beta [1,1,1,C] or absent: op::LayerNorm's
/// -> y [N,H,W,K], or [N,H,W,G]; G is J/2 with a gate, else J
/// `expand` and `contract` are the two linear layers; of their epilogues the first may have an
/// activation without a slope if nothing gates, the second a scale and a residual.
/// Throws ShapeError as they and the norm do, or if they have more than that, or if nothing comes
/// behind the first.
struct NormMlp {
  static constexpr std::string_view kName = "norm_mlp";
  enum Slot { kX, kWeight1, kBias1, kWeight2, kBias2, kResidual, kGamma, kBeta, kSlots };

  LayerNorm norm;
  Conv2d expand, contract;
  bool gates = false;
  Activation gate = {};
  bool contracts = true;
  /// The rung to run and whose packing the weights have; null: choose one, they are as above.
  const NormMlpVariant* variant = nullptr;
  /// Of x, residual and y: f32, f16 or bf16. The rest is f32, as the arithmetic is.
  DType type = DType::kF32;

  /// G
  int gated() const { return gates ? expand.outputs / 2 : expand.outputs; }

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in) const;
  std::optional<Lowering> lower(const Shapes& in) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to, DeviceKind device) const;
};

/// `first` and the linear layer behind it as one operation, if the two are such a pair, its hidden
/// features fit the cache, and nobody forced a rung of either.
std::optional<Fusion> fuse_mlp(const NormLinear& first, const Conv2d& second, int position);
/// `first` and the gate that reads the two halves of its result, likewise. `next`: an op::Gate or a product.
std::optional<Fusion> fuse_gate(const NormLinear& first, const AnyOp& next,
                                const ThroughViews& views);

}  // namespace op

/// One call of a rung on images of T; weights and biases are as the rung wants them. Absent operands have no data.
template <class T>
struct TypedNormMlpCall {
  const op::NormMlp& op;
  View<const T> x;
  View<const float> weight1, bias1, weight2, bias2;
  View<const T> residual;
  View<const float> gamma, beta;
  View<T> y;
  Scratch scratch;
};
using NormMlpCall = TypedNormMlpCall<float>;
template <class T>
using NormMlpFunction = void (*)(const TypedNormMlpCall<T>& call);

struct NormMlpKernel {
  bool packs_weights = false;  ///< weights and biases, by PackTokenWeight
  std::int64_t (*scratch_bytes)(const op::NormMlp& op, const Shapes& in) = nullptr;
  ByType<NormMlpFunction> run;
};

/// All rungs, naive to fastest.
std::span<const NormMlpVariant> norm_mlp_ladder();

// The rungs.
std::int64_t norm_mlp_reference_scratch(const op::NormMlp& op, const Shapes& in);
void norm_mlp_reference(const NormMlpCall& call);
std::int64_t norm_mlp_panels_scratch(const op::NormMlp& op, const Shapes& in);
void norm_mlp_panels(const NormMlpCall& call);
void norm_mlp_panels_f16(const TypedNormMlpCall<Half>& call);
void norm_mlp_panels_bf16(const TypedNormMlpCall<BFloat16>& call);

}  // namespace mend
