// A layer norm and the linear layer behind it in one pass: what a plan makes of the two.
//
// Alone, the norm writes all pixels and the linear layer reads them again: 2/3 of the floats that
// both move when a transformer's features are wider than the cache. On a GPU the norm is a launch of its own too.
// Not built yet: W·(x − mean)/σ = (W·x − mean·W·1)/σ needs no normalised copy at all, even in L1.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/normalization/normalization.h"

namespace mend {

struct NormLinearKernel;
namespace op {
struct NormLinear;
}
using NormLinearVariant = Variant<op::NormLinear, NormLinearKernel>;

namespace op {

/// y = linear(norm(x)): op::LayerNorm, then op::Conv2d of 1x1 with its epilogue.
///
/// x [N,H,W,C]   weight [K,1,1,C]   bias [1,1,1,K] or absent   slope, residual: op::Conv2d's
/// gamma, beta [1,1,1,C] or absent: op::LayerNorm's -> y [N,H,W,K]
/// Throws ShapeError as those two do, and if `linear` is no plain 1x1 convolution.
struct NormLinear {
  static constexpr std::string_view kName = "norm_linear";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kWeight, kBias, kSlope, kResidual, kGamma, kBeta, kSlots };

  LayerNorm norm;
  Conv2d linear;  ///< of the norm's type
  /// The rung to run and whose packing the weight has; null: choose one, the weight is [K,1,1,C].
  const NormLinearVariant* variant = nullptr;

  /// This operation on that rung; its weight must be packed by PackConv2dWeight{linear} if the rung
  /// wants it so.
  NormLinear on(const NormLinearVariant& rung) const;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return linear.type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<Fusion> absorb(const AnyOp& next, int position, const Shapes& in) const;
  std::optional<Fusion> absorb_through(const AnyOp& next, const ThroughViews& views,
                                       const Shapes& in) const;
  std::optional<Lowering> lower(const Shapes& in, DeviceKind device) const;
  std::optional<RowPart> row_part(const Shapes& in, RowRange y) const;
};

/// Both as one operation, if `linear` is a 1x1 convolution that takes the norm's result as its x and
/// nobody forced a rung of either.
std::optional<Fusion> fuse_norm_into(const LayerNorm& norm, const Conv2d& linear, int position);

/// The same on a GPU, for a norm of `in` and a convolution of `next_in`, if by the ladders' models one launch is faster
/// than two, for images of any size alike; or if a rung of norm_linear is forced that can do it.
std::optional<Fusion> pair_norm_with(const LayerNorm& norm, const Conv2d& linear, int position,
                                     const Shapes& in, const Shapes& next_in);

}  // namespace op

/// One call of a rung; the weight is as the rung wants it. Absent operands have no data.
struct NormLinearCall {
  const op::NormLinear& op;
  View<const float> x, weight, bias, slope, residual, gamma, beta;
  View<float> y;
  Scratch scratch;
};

struct NormLinearKernel {
  /// The rung of conv2d whose packing the weight has; null: it takes [K,1,1,C].
  const Conv2dVariant* (*packing)() = nullptr;
  std::int64_t (*scratch_bytes)(const op::NormLinear& op, const Shapes& in) = nullptr;
  void (*run)(const NormLinearCall& call) = nullptr;
  /// On a GPU, in place of these. x, residual and y are of op.dtype(), the packed weight too, vectors are f32.
  void (*launch)(const op::NormLinear& op, Inputs inputs, const Tensor& y) = nullptr;

  bool packs_weight() const { return packing != nullptr; }
};

/// All rungs, naive to fastest.
std::span<const NormLinearVariant> norm_linear_ladder();

// The rungs.
std::int64_t norm_linear_reference_scratch(const op::NormLinear& op, const Shapes& in);
void norm_linear_reference(const NormLinearCall& call);
std::int64_t norm_linear_blocked_scratch(const op::NormLinear& op, const Shapes& in);
void norm_linear_blocked(const NormLinearCall& call);

// On a GPU; only in a build with CUDA. kernels/norm_linear/cuda_rungs.cpp.
std::string norm_linear_cuda_tf32_refuses(const op::NormLinear& op, const Shapes& in);
std::string norm_linear_cuda_f16_refuses(const op::NormLinear& op, const Shapes& in);
void norm_linear_cuda_tf32(const op::NormLinear& op, Inputs inputs, const Tensor& y);
void norm_linear_cuda_f16(const op::NormLinear& op, Inputs inputs, const Tensor& y);
/// Of both.
double norm_linear_cuda_seconds(const op::NormLinear& op, const Shapes& in);

}  // namespace mend
