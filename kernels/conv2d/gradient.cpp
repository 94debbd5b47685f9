#include "kernels/conv2d/gradient.h"

#include <algorithm>

#include "engine/parallel.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv_transpose2d/conv_transpose2d.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/pad/gradient.h"

namespace mend::op {
namespace {

/// The padding as an operation of its own.
Pad padding_of(const Conv2d& conv) {
  constexpr PadMode kModes[] = {PadMode::kConstant, PadMode::kReflect, PadMode::kReplicate};
  const int below = conv.padding_bottom < 0 ? conv.padding_h : conv.padding_bottom;
  return {conv.padding_h, below, conv.padding_w, conv.padding_w,
          kModes[static_cast<std::size_t>(conv.padding_mode)]};
}

Tensor padded(const Tensor& x, const Pad& pad) {
  const bool none = pad.top == 0 && pad.bottom == 0 && pad.left == 0 && pad.right == 0;
  return none ? x : apply(pad, {x});
}

/// dL/dx at stride 1: a convolution of dy, with as much padding around it as the kernel reaches.
Tensor input_gradient_stride_1(const Conv2d& conv, const Tensor& dy, const Tensor& weight,
                               const Shape& x) {
  Conv2d back;
  back.kernel_h = conv.kernel_h;
  back.kernel_w = conv.kernel_w;
  back.dilation = conv.dilation;
  back.groups = conv.groups;
  back.padding_h = conv.dilation * (conv.kernel_h - 1) - conv.padding_h;
  back.padding_w = conv.dilation * (conv.kernel_w - 1) - conv.padding_w;
  back.outputs = x.c;
  const Tensor turned = apply(TurnConv2dWeight{conv.groups}, {weight});
  // More padding than the kernel reaches: the outer rows of y saw none of x.
  const int rows = std::max(0, -back.padding_h), columns = std::max(0, -back.padding_w);
  back.padding_h = std::max(0, back.padding_h);
  back.padding_w = std::max(0, back.padding_w);
  return apply(back, {without_margins(dy, {rows, rows, columns, columns}), turned});
}

/// dL/dx at any stride: a transposed convolution, which knows one padding for rows and columns and
/// one rest that the stride left. So the larger image is made and cut to x.
Tensor input_gradient_strided(const Conv2d& conv, const Tensor& dy, const Tensor& weight,
                              const Shape& x) {
  const auto rest = [&](int extent, int padding, int kernel, int outputs) {
    return extent + 2 * padding - kernel - (outputs - 1) * conv.stride;
  };
  ConvTranspose2d back;
  back.stride = conv.stride;
  back.groups = conv.groups;
  back.padding = std::min(conv.padding_h, conv.padding_w);
  const int rest_h = rest(x.h, conv.padding_h, conv.kernel_h, dy.shape().h);
  const int rest_w = rest(x.w, conv.padding_w, conv.kernel_w, dy.shape().w);
  back.output_padding = std::max(rest_h, rest_w);
  const Tensor exchanged = apply(TurnConv2dWeight{.groups = conv.groups, .turn = false}, {weight});
  const Tensor larger = apply(back, {dy, exchanged});
  const int top = conv.padding_h - back.padding, left = conv.padding_w - back.padding;
  return without_margins(larger,
                         {top, larger.shape().h - top - x.h, left, larger.shape().w - left - x.w});
}

void check_plain(const Conv2d& conv) {
  if (conv.activation.kind == ActivationKind::kNone && conv.scale == 1.0f && !conv.adds_residual &&
      conv.variant == nullptr && (conv.stride == 1 || conv.dilation == 1)) {
    return;
  }
  throw UsageError(
      fmt::format("gradient: conv2d {} has none; only a plain one has, of stride 1 or dilation 1",
                  conv.describe()));
}

}  // namespace

Tensors Conv2d::backward(const Backward& call) const {
  check_plain(*this);
  const Tensor x = call.inputs[kX], weight = call.inputs[kWeight];
  // Zeros need no image of their own; what is mirrored is made, and its gradient folded back.
  const bool zeros = padding_mode == PaddingMode::kZeros && padding_bottom < 0;
  const Pad pad = zeros ? Pad{} : padding_of(*this);
  Conv2d conv = *this;
  if (!zeros) conv.padding_h = conv.padding_w = 0;
  Tensors gradients(kSlots);
  if (call.wants(kX)) {
    const Shape seen = pad.shape({x.shape()});
    const Tensor dx = stride == 1 ? input_gradient_stride_1(conv, call.dy, weight, seen)
                                  : input_gradient_strided(conv, call.dy, weight, seen);
    gradients[kX] = zeros ? dx : apply(PadGradient{pad}, {dx});
  }
  if (call.wants(kWeight)) {
    const Conv2dWeightGradient gradient{kernel_h,       kernel_w, stride, conv.padding_h,
                                        conv.padding_w, dilation, groups};
    const Tensor dw = apply(gradient, {padded(x, pad), call.dy});
    gradients[kWeight] = dw;
  }
  if (call.wants(kBias)) gradients[kBias] = sum_to(call.dy, vector_shape(outputs));
  return gradients;
}

Saves Conv2d::saves(const std::vector<bool>& wanted) const {
  return {.inputs = (wanted[kX] ? 1u << kWeight : 0u) | (wanted[kWeight] ? 1u << kX : 0u)};
}

Shape TurnConv2dWeight::shape(const Shapes& in) const {
  const Shape& weight = in[0];
  if (groups < 1 || weight.n % groups != 0) {
    throw ShapeError(fmt::format("turn_conv2d_weight: {} groups do not divide the outputs of {}",
                                 groups, to_string(weight)));
  }
  return {weight.c * groups, weight.h, weight.w, weight.n / groups};
}

Cost TurnConv2dWeight::cost(const Shapes& in) const {
  return {0, 2 * sizeof(float) * static_cast<double>(in[0].elements())};
}

Footprint TurnConv2dWeight::footprint(const Shapes&) const { return {}; }

std::string TurnConv2dWeight::describe() const {
  return fmt::format("groups {}{}", groups, turn ? " turned" : "");
}

void TurnConv2dWeight::forward(Inputs inputs, const Tensor& y, Scratch) const {
#ifdef MEND_HAS_CUDA
  if (y.device().kind() == DeviceKind::kCuda) return turn_conv2d_weight_on_gpu(*this, inputs[0], y);
#endif
  const View<const float> weight = inputs[0].view<const float>();
  const View<float> to = y.view<float>();
  const int C = weight.shape.c, R = weight.shape.h, S = weight.shape.w, K = to.shape.c;
  parallel_for(to.shape.n, [&](std::int64_t output, int) {
    const int g = static_cast<int>(output) / C, c = static_cast<int>(output) % C;
    for (int r = 0; r < R; ++r)
      for (int s = 0; s < S; ++s) {
        float* pixel =
            to.pixel(static_cast<int>(output), turn ? R - 1 - r : r, turn ? S - 1 - s : s);
        for (int k = 0; k < K; ++k) pixel[k] = weight(g * K + k, r, s, c);
      }
  });
}

Tensors TurnConv2dWeight::backward(const Backward& call) const { return {apply(*this, {call.dy})}; }

Saves TurnConv2dWeight::saves(const std::vector<bool>&) const { return {}; }

}  // namespace mend::op
