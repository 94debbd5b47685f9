// What the gradients of a convolution are made of.
//
//   dL/dx       a convolution of dy with the kernel turned by 180° and its channels exchanged, of any
//               fast rung; with a stride a transposed one (Dumoulin & Visin 2016, arXiv:1603.07285,
//               chapter 4)
//   dL/dweight  Conv2dWeightGradient: a correlation of x with dy
//   dL/dbias    a sum over all pixels, op::SumTo
//
// Next idea: dL/dweight of 3x3 kernels by Winograd's F(3,4) would take a quarter of the products.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {

struct Conv2dWeightGradientKernel;
namespace op {
struct Conv2dWeightGradient;
}
using Conv2dWeightGradientVariant = Variant<op::Conv2dWeightGradient, Conv2dWeightGradientKernel>;

namespace op {

/// The gradient of a convolution's weight.
///
///   y[k,r,s,c] = Σ_{n,p,q} dy[n,p,q,k] · x[n, p·stride + r·dilation − padding_h,
///                                          q·stride + s·dilation − padding_w, g·C/groups + c]
///   g = the group of output k
///
/// x [N,H,W,C]   dy [N,P,Q,K] -> y [K,R,S,C/groups]. Pixels outside x are 0.
/// Throws ShapeError if groups do not divide C and K, or the images of x and dy do not belong together.
/// The sums over pixels are cut into strips of rows and added in an order that depends on the shapes
/// alone. Equals torch.nn.grad.conv2d_weight, permuted.
struct Conv2dWeightGradient {
  static constexpr std::string_view kName = "conv2d_weight_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kDy };

  int kernel_h = 1, kernel_w = 1;
  int stride = 1, padding_h = 0, padding_w = 0, dilation = 1, groups = 1;
  /// Of x and dy: f32, or on a GPU bf16. y is f32.
  DType type = DType::kF32;
  /// The rung to run; null: choose one.
  const Conv2dWeightGradientVariant* variant = nullptr;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::optional<Lowering> lower(const Shapes& in, DeviceKind device) const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType to) const;
};

/// The weight of the convolution that goes back from y to x: inputs and outputs change places.
///
///   y[g·C + c, r', s', k] = weight[g·K + k, r, s, c],   r' = R − 1 − r with `turn`, else r; s' likewise
///
/// weight [groups·K,R,S,C] -> y [groups·C,R,S,K]. Applied twice it gives the weight again.
struct TurnConv2dWeight {
  static constexpr std::string_view kName = "turn_conv2d_weight";
  static constexpr bool kOnGpu = true;

  int groups = 1;
  bool turn = true;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace op

/// One call of a rung.
struct Conv2dWeightGradientCall {
  const op::Conv2dWeightGradient& op;
  View<const float> x, dy;
  View<float> y;
  Scratch scratch;
};

struct Conv2dWeightGradientKernel {
  /// Working memory of one run; null: none. Grows with threads().
  std::int64_t (*scratch_bytes)(const op::Conv2dWeightGradient& op, const Shapes& in) = nullptr;
  void (*run)(const Conv2dWeightGradientCall& call) = nullptr;
  /// Of a rung on a GPU, in place of run.
  void (*launch)(const op::Conv2dWeightGradient& op, Inputs inputs, const Tensor& y) = nullptr;
};
std::span<const Conv2dWeightGradientVariant> conv2d_weight_gradient_ladder();

// The rungs.
void conv2d_weight_gradient_reference(const Conv2dWeightGradientCall& call);
std::int64_t conv2d_weight_gradient_tiles_scratch(const op::Conv2dWeightGradient& op,
                                                  const Shapes& in);
void conv2d_weight_gradient_tiles(const Conv2dWeightGradientCall& call);
std::int64_t conv2d_weight_gradient_depthwise_scratch(const op::Conv2dWeightGradient& op,
                                                      const Shapes& in);
void conv2d_weight_gradient_depthwise(const Conv2dWeightGradientCall& call);

// On a GPU; only in a build with CUDA. kernels/conv2d/cuda_gradient_rungs.cpp.

double conv2d_weight_gradient_cuda_naive_seconds(const op::Conv2dWeightGradient& op,
                                                 const Shapes& in);
void conv2d_weight_gradient_cuda_naive(const op::Conv2dWeightGradient& op, Inputs inputs,
                                       const Tensor& y);
std::string conv2d_weight_gradient_cuda_tf32_refuses(const op::Conv2dWeightGradient& op,
                                                     const Shapes& in);
double conv2d_weight_gradient_cuda_tf32_seconds(const op::Conv2dWeightGradient& op,
                                                const Shapes& in);
void conv2d_weight_gradient_cuda_tf32(const op::Conv2dWeightGradient& op, Inputs inputs,
                                      const Tensor& y);
std::string conv2d_weight_gradient_cuda_bf16_refuses(const op::Conv2dWeightGradient& op,
                                                     const Shapes& in);
void conv2d_weight_gradient_cuda_bf16(const op::Conv2dWeightGradient& op, Inputs inputs,
                                      const Tensor& y);
std::string conv2d_weight_gradient_cuda_tf32_gemm_refuses(const op::Conv2dWeightGradient& op,
                                                          const Shapes& in);
double conv2d_weight_gradient_cuda_tf32_gemm_seconds(const op::Conv2dWeightGradient& op,
                                                     const Shapes& in);
void conv2d_weight_gradient_cuda_tf32_gemm(const op::Conv2dWeightGradient& op, Inputs inputs,
                                           const Tensor& y);
std::string conv2d_weight_gradient_cuda_depthwise_refuses(const op::Conv2dWeightGradient& op,
                                                          const Shapes& in);
double conv2d_weight_gradient_cuda_depthwise_seconds(const op::Conv2dWeightGradient& op,
                                                     const Shapes& in);
void conv2d_weight_gradient_cuda_depthwise(const op::Conv2dWeightGradient& op, Inputs inputs,
                                           const Tensor& y);
void turn_conv2d_weight_on_gpu(const op::TurnConv2dWeight& op, const Tensor& weight,
                               const Tensor& y);

}  // namespace mend
