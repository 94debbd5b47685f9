// Two convolutions in a row in one pass: what a plan on a GPU makes of 3x3 layers with few channels on large images.
//
//   x ──▶ 3x3, C → C ──▶ activation ──▶ 3x3, C → C ──▶ activation ──▶ · scale ──▶ + ──▶ y
//                                                                    residual ────┘
//
// Alone, the first writes an image to memory and the second reads it again: half of the bytes of both. Here a tile of
// it stays on the chip, and what neighbouring tiles share of it is computed twice.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/conv2d/conv2d.h"

namespace mend {

struct Conv2dPairKernel;
namespace op {
struct Conv2dPair;
}
using Conv2dPairVariant = Variant<op::Conv2dPair, Conv2dPairKernel>;

namespace op {

/// y = second(first(x)), both op::Conv2d with their epilogues; the first has no residual.
///
/// x [N,H,W,C]   weight1 [M,R,S,C/groups]   bias1 [1,1,1,M] or absent   slope1 [1,1,1,M] or [1,1,1,1] for kPrelu
/// weight2, bias2, slope2: the second one's, K outputs   residual like y or absent -> y [N,P,Q,K]
/// x, residual and y are of one type, `first.type` and `second.type`; the image between the two is rounded to it as
/// if it had been written. Throws ShapeError as the two do, or if the first has a residual or the types differ.
/// Trailing absent inputs may be left out.
struct Conv2dPair {
  static constexpr std::string_view kName = "conv2d_pair";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kWeight1, kBias1, kSlope1, kWeight2, kBias2, kSlope2, kResidual, kSlots };

  Conv2d first, second;
  /// The rung to run and whose packing the weights have; null: choose one, they are as above.
  const Conv2dPairVariant* variant = nullptr;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return second.type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<Lowering> lower(const Shapes& in, DeviceKind device) const;

  /// The inputs of the two convolutions, weights as they are before they are packed.
  Shapes of_first(const Shapes& in) const;
  Shapes of_second(const Shapes& in) const;
};

/// A weight of the two as their rung wants it. The planner runs it once, before the first run.
struct PackConv2dPairWeight {
  static constexpr std::string_view kName = "pack_conv2d_pair_weight";
  static constexpr bool kOnGpu = true;

  Conv2dPair pair;  ///< with its variant

  Shape shape(const Shapes& in) const;
  DType dtype() const { return pair.dtype(); }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes&) const { return {}; }
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// `first`, on inputs `in`, and `next`, on `next_in`, as one operation on a GPU, if the two are such a pair, nobody
/// forced a rung of conv2d, and they are faster so by the ladders' models: the image between them is larger than an
/// H100's L2, and what DRAM wins is more than the halo costs. Or if a rung of conv2d_pair is forced that can do it.
std::optional<Fusion> fuse_conv2d_pair(const Conv2d& first, const AnyOp& next, int position,
                                       const Shapes& in, const Shapes& next_in);

}  // namespace op

/// One call of a rung on the CPU. Absent operands have no data.
struct Conv2dPairCall {
  const op::Conv2dPair& op;
  View<const float> x;
  View<const float> weight1, bias1, slope1, weight2, bias2, slope2;
  View<const float> residual;
  View<float> y;
  Scratch scratch;
};

struct Conv2dPairKernel {
  /// On the CPU.
  std::int64_t (*scratch_bytes)(const op::Conv2dPair& op, const Shapes& in) = nullptr;
  void (*run)(const Conv2dPairCall& call) = nullptr;
  /// On a GPU, in place of these. Weights are packed and of the images' type, biases and slopes f32.
  Shape (*packed_shape)(const Shape& weight) = nullptr;
  void (*launch_pack)(const Tensor& weight, const Tensor& packed) = nullptr;
  void (*launch)(const op::Conv2dPair& op, Inputs inputs, const Tensor& y) = nullptr;

  bool packs() const { return packed_shape != nullptr; }
};

/// All rungs, naive to fastest.
std::span<const Conv2dPairVariant> conv2d_pair_ladder();

// The rungs.
std::int64_t conv2d_pair_reference_scratch(const op::Conv2dPair& op, const Shapes& in);
void conv2d_pair_reference(const Conv2dPairCall& call);

// On a GPU; only in a build with CUDA. kernels/conv2d_pair/cuda_rungs.cpp.
std::string conv2d_pair_cuda_mma_refuses(const op::Conv2dPair& op, const Shapes& in);
double conv2d_pair_cuda_mma_seconds(const op::Conv2dPair& op, const Shapes& in);
Shape conv2d_pair_cuda_mma_packed_shape(const Shape& weight);
void conv2d_pair_cuda_mma_pack(const Tensor& weight, const Tensor& packed);
void conv2d_pair_cuda_mma(const op::Conv2dPair& op, Inputs inputs, const Tensor& y);

}  // namespace mend
