#include "layers/spectral_norm.h"

#include "kernels/matmul/matmul.h"
#include "kernels/normalization/normalization.h"
#include "layers/functions.h"

namespace mend {
namespace {

/// σ {1,1,1,1}. As convolutions: over an image that is as large as the kernel, W·v is a single pixel, and
/// u is a kernel of one output and one pixel.
Tensor largest_singular_value(const Tensor& weight, const Tensor& u, const Tensor& v) {
  const op::Conv2d rows{
      .kernel_h = weight.shape().h, .kernel_w = weight.shape().w, .outputs = weight.shape().n};
  return apply(op::Conv2d{.outputs = 1}, {apply(rows, {v, weight}), u});
}

}  // namespace

SpectralNormConv2d::SpectralNormConv2d(const Scope& p, int in, int out, int kernel,
                                       const Conv2dOptions& options)
    : weight_orig(p.kernel("weight_orig", out, kernel, kernel, in)),
      weight_u(p.vector("weight_u", out)),
      weight_v(p.kernel_stored_as("weight_v", {std::int64_t{in} * kernel * kernel}, 1, kernel,
                                  kernel, in)),
      weight(weight_orig / largest_singular_value(weight_orig, weight_u, weight_v)) {
  call.kernel_h = call.kernel_w = kernel;
  call.stride = options.stride;
  call.dilation = options.dilation;
  call.padding_h = call.padding_w =
      options.padding == kSamePadding ? (kernel - 1) / 2 * options.dilation : options.padding;
  call.outputs = out;
}

Tensor SpectralNormConv2d::operator()(const Tensor& x) const { return apply(call, {x, weight}); }

void power_iteration(const Tensor& weight, const Tensor& u, const Tensor& v) {
  const Shape& s = weight.shape();
  const Tensor matrix = weight.reshaped({1, 1, s.n, s.h * s.w * s.c});
  const auto replace = [](const Tensor& vector, const Tensor& by) {
    Tensor in_place = vector.reshaped(by.shape());
    apply_into(op::L2Normalize{}, {&by, 1}, in_place);
  };
  replace(v, apply(op::Matmul{}, {u, matrix}));
  replace(
      u, apply(op::Matmul{.transpose_b = true}, {v.reshaped({1, 1, 1, matrix.shape().c}), matrix}));
}

}  // namespace mend
