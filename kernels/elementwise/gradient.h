// What the gradients of elementwise operations are made of; the gradients of biases, of the factors of
// norms and of whatever else was broadcast are sums over pixels too.
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

/// The sum over what was broadcast: the gradient of a small tensor that stood for a large one.
///
///   y = Σ x · z    over all elements that share an element of y
///
/// x [N,H,W,C]   z like x, or absent for 1 -> y `to`, whose extents are those of x, or 1 where the sum
/// goes over all of them. With `negative_part`, z is min(z, 0): the gradient of PReLU's slope.
/// Throws ShapeError if the extents do not fit.
/// Summed in double over blocks of pixels, in an order that depends on the shapes alone.
struct SumTo {
  static constexpr std::string_view kName = "sum_to";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kZ };

  Shape to;
  bool negative_part = false;
  /// Of x and z: f32, or on a GPU f16 or bf16. y is f32.
  DType type = DType::kF32;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  std::optional<Narrowed> narrow(const Shapes& in, DType type) const;
  /// Without a negative part: networks sum too, to divide weights by their length.
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// The gradient of op::Affine where it clips.
///
///   y = scale · dy   where low <= scale · x + offset <= high,   else 0
///
/// x, dy [N,H,W,C] -> y like x. As torch.clamp: on the bounds themselves the gradient passes.
struct AffineGradient {
  static constexpr std::string_view kName = "affine_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kDy };

  float scale = 1, offset = 0, low = 0, high = 0;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// 1/2, 1 or 0: the part of the gradient of op::Binary's kMaximum, or kMinimum, that goes to x.
///
///   y = dy · (1 where x wins, 1/2 where x = z, else 0)
///
/// x, z: extents equal or 1, as in op::Binary   dy of the broadcast extents -> y like dy
struct ExtremumGradient {
  static constexpr std::string_view kName = "extremum_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kZ, kDy };

  bool maximum = true;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

/// `constant`, of the CPU, where x is: a plan brings its constants to the GPU itself.
Tensor constant_beside(const Tensor& x, const Tensor& constant);
/// `dy` summed to the shape of an operand that was broadcast; dy itself if it was not.
Tensor sum_to(const Tensor& dy, const Shape& to);
/// Σ x · z, likewise.
Tensor sum_products_to(const Tensor& x, const Tensor& z, const Shape& to);

using SumToKernel =
    NarrowableKernel<op::SumTo, void (*)(const op::SumTo& op, View<const float> x,
                                         View<const float> z, View<float> y, Scratch scratch)>;
using AffineGradientKernel = void (*)(const op::AffineGradient& op, View<const float> x,
                                      View<const float> dy, View<float> y);
using ExtremumGradientKernel = void (*)(const op::ExtremumGradient& op, View<const float> x,
                                        View<const float> z, View<const float> dy, View<float> y);
std::span<const Variant<op::SumTo, SumToKernel>> sum_to_ladder();
std::span<const Variant<op::AffineGradient, AffineGradientKernel>> affine_gradient_ladder();
std::span<const Variant<op::ExtremumGradient, ExtremumGradientKernel>> extremum_gradient_ladder();

// The rungs.
void sum_to_reference(const op::SumTo& op, View<const float> x, View<const float> z, View<float> y,
                      Scratch scratch);
void sum_to_simd(const op::SumTo& op, View<const float> x, View<const float> z, View<float> y,
                 Scratch scratch);
/// Working memory of sum_to_simd in bytes.
std::int64_t sum_to_simd_scratch(const op::SumTo& op, const Shape& x);
void sum_to_cuda(const op::SumTo& op, View<const float> x, View<const float> z, View<float> y,
                 Scratch scratch);
void sum_to_cuda_narrow(const op::SumTo& op, Inputs inputs, const Tensor& y);
void affine_gradient_reference(const op::AffineGradient& op, View<const float> x,
                               View<const float> dy, View<float> y);
void affine_gradient_rows(const op::AffineGradient& op, View<const float> x, View<const float> dy,
                          View<float> y);
void affine_gradient_cuda(const op::AffineGradient& op, View<const float> x, View<const float> dy,
                          View<float> y);
void extremum_gradient_rows(const op::ExtremumGradient& op, View<const float> x,
                            View<const float> z, View<const float> dy, View<float> y);
void extremum_gradient_cuda(const op::ExtremumGradient& op, View<const float> x,
                            View<const float> z, View<const float> dy, View<float> y);

}  // namespace mend
