// A transposed convolution is the gradient of a convolution, so its own gradients are a convolution and
// that convolution's weight gradient, with x and dy in each other's place (Dumoulin & Visin 2016,
// arXiv:1603.07285, chapter 4).
#include "kernels/conv2d/gradient.h"

#include "kernels/conv2d/conv2d.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/elementwise/gradient.h"

namespace mend::op {

Tensors ConvTranspose2d::backward(const Backward& call) const {
  if (activation.kind != ActivationKind::kNone || variant != nullptr) {
    throw UsageError(
        fmt::format("gradient: conv_transpose2d {} has none; only a plain one has", describe()));
  }
  const Tensor x = call.inputs[kX], weight = call.inputs[kWeight], dy = call.dy;
  const TurnConv2dWeight exchange{.groups = groups, .turn = false};
  Tensors gradients(kSlots);
  if (call.wants(kX)) {
    const Conv2d back{.kernel_h = weight.shape().h,
                      .kernel_w = weight.shape().w,
                      .stride = stride,
                      .padding_h = padding,
                      .padding_w = padding,
                      .groups = groups,
                      .outputs = x.shape().c};
    gradients[kX] = apply(back, {dy, apply(exchange, {weight})});
  }
  if (call.wants(kWeight)) {
    const Conv2dWeightGradient gradient{.kernel_h = weight.shape().h,
                                        .kernel_w = weight.shape().w,
                                        .stride = stride,
                                        .padding_h = padding,
                                        .padding_w = padding,
                                        .groups = groups};
    gradients[kWeight] = apply(exchange, {apply(gradient, {dy, x})});
  }
  if (call.wants(kBias)) gradients[kBias] = sum_to(dy, vector_shape(dy.shape().c));
  return gradients;
}

Saves ConvTranspose2d::saves(const std::vector<bool>& wanted) const {
  return {.inputs = (wanted[kX] ? 1u << kWeight : 0u) | (wanted[kWeight] ? 1u << kX : 0u)};
}

}  // namespace mend::op
