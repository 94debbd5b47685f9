// The attention half of a Swin transformer layer in one pass: what a plan makes of layer norm, qkv
// layer, window attention, projection and residual.
//
// Alone, the qkv layer writes three times the features and the attention reads them again from all
// over the image: 47 MB each way at 256x256 with 60 channels. A window's are 46 kB and stay in L2.
// Not built yet: windows of more than 64 tokens (HAT's 16x16), whose keys would pass by in blocks;
// the MLP behind it, which needs nothing but the window's own tokens.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/narrow.h"
#include "kernels/norm_linear/norm_linear.h"

namespace mend {

struct WindowBlockKernel;
namespace op {
struct WindowBlock;
}
using WindowBlockVariant = Variant<op::WindowBlock, WindowBlockKernel>;

namespace op {

/// y = scale · (Wp · attention(q, k, v) + bp) + residual,   (q, k, v) = Wqkv · norm(x) + bqkv
///
/// x [N,H,W,C]   qkv_weight [3C,1,1,C]   qkv_bias [1,1,1,3C] or absent   bias [1,heads,keys,queries]
/// or absent: op::WindowAttention's   projection [K,1,1,C]   projection_bias [1,1,1,K] or absent
/// residual like y or absent   gamma, beta [1,1,1,C] or absent: op::LayerNorm's -> y [N,H,W,K]
/// Without `project` y is the attention itself, [N,H,W,C].
/// q is the first third of the qkv layer's channels, then come k and v.
/// Throws ShapeError as the parts do, if keys and queries are not the same window, or the linear
/// layers have more of an epilogue than a bias, and a scale and a residual of the projection.
struct WindowBlock {
  static constexpr std::string_view kName = "window_block";
  enum Slot {
    kX,
    kQkvWeight,
    kQkvBias,
    kBias,
    kProjection,
    kProjectionBias,
    kResidual,
    kGamma,
    kBeta,
    kSlots
  };

  LayerNorm norm;
  Conv2d qkv;
  WindowAttention attention;
  std::optional<Conv2d> project = std::nullopt;
  /// The rung to run and whose packing the weights have; null: choose one, they are as above.
  const WindowBlockVariant* variant = nullptr;
  /// Of x, residual and y: f32, f16 or bf16. The rest is f32, as the arithmetic is.
  DType type = DType::kF32;

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

/// `qkv` and the attention that reads its result through `views`, one for each of its inputs, as one
/// operation: if they are q, k and v side by side, the windows are of at most 64 tokens, and nobody
/// forced a rung of either.
std::optional<Fusion> fuse_window_block(const NormLinear& qkv, const WindowAttention& attention,
                                        const ThroughViews& views, const Shapes& in);

/// The bias of the scores as panels of tokens (token_panels.h), in the exponential's base:
/// [1,heads,keys,queries] -> {heads,blocks,keys,16}, times log2(e), 0 behind the last query.
struct PackWindowBias {
  static constexpr std::string_view kName = "pack_window_bias";

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

/// One call of a rung on images of T; weights and biases are as the rung wants them. Absent operands have no data.
template <class T>
struct TypedWindowBlockCall {
  const op::WindowBlock& op;
  View<const T> x;
  View<const float> qkv_weight, qkv_bias, bias, projection, projection_bias;
  View<const T> residual;
  View<const float> gamma, beta;
  View<T> y;
  Scratch scratch;
};
using WindowBlockCall = TypedWindowBlockCall<float>;
template <class T>
using WindowBlockFunction = void (*)(const TypedWindowBlockCall<T>& call);

struct WindowBlockKernel {
  bool packs_weights = false;  ///< by PackTokenWeight and PackWindowBias
  std::int64_t (*scratch_bytes)(const op::WindowBlock& op, const Shapes& in) = nullptr;
  ByType<WindowBlockFunction> run;
};

/// All rungs, naive to fastest.
std::span<const WindowBlockVariant> window_block_ladder();

// The rungs.
std::int64_t window_block_reference_scratch(const op::WindowBlock& op, const Shapes& in);
void window_block_reference(const WindowBlockCall& call);
std::string window_block_panels_refuses(const op::WindowBlock& op, const Shapes& in);
std::int64_t window_block_panels_scratch(const op::WindowBlock& op, const Shapes& in);
void window_block_panels(const WindowBlockCall& call);
void window_block_panels_f16(const TypedWindowBlockCall<Half>& call);
void window_block_panels_bf16(const TypedWindowBlockCall<BFloat16>& call);

}  // namespace mend
