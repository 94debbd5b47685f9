// The truth: the references of the parts one after the other.
#include "kernels/activation/gate.h"
#include "kernels/conv2d/variant.h"
#include "kernels/inverted_residual/inverted_residual.h"

namespace mend {
namespace {

std::int64_t image_bytes(const Shape& x, int channels) {
  return x.pixels() * channels * std::int64_t{sizeof(float)};
}

/// A dense image in front of the scratch, which then begins behind it.
View<float> take_image(Scratch& scratch, const Shape& x, int channels) {
  const std::int64_t row = std::int64_t{x.w} * channels;
  const View<float> image{reinterpret_cast<float*>(scratch.data()),
                          {x.n, x.h, x.w, channels},
                          row * x.h,
                          row,
                          channels};
  scratch = scratch.subspan(static_cast<std::size_t>(image_bytes(x, channels)));
  return image;
}

/// Channels [first, first + count).
View<const float> channels(View<const float> x, int first, int count) {
  return {
      x.data + first, {x.shape.n, x.shape.h, x.shape.w, count}, x.n_stride, x.h_stride, x.w_stride};
}

}  // namespace

std::int64_t inverted_residual_reference_scratch(const op::InvertedResidual& op, const Shapes& in) {
  const Shape& x = in[op::InvertedResidual::kX];
  return 2 * image_bytes(x, op.hidden()) + image_bytes(x, op.gated()) +
         norm_linear_reference_scratch({op.norm, op.expand}, in);
}

void inverted_residual_reference(const InvertedResidualCall& call) {
  const op::InvertedResidual& op = call.op;
  const Shape& x = call.x.shape;
  Scratch scratch = call.scratch;
  const View<float> expanded = take_image(scratch, x, op.hidden());
  const bool ends_here = !op.gates && !op.projects;
  const View<float> hidden = ends_here ? call.y : take_image(scratch, x, op.hidden());
  const View<float> gated = op.projects && op.gates ? take_image(scratch, x, op.gated())
                            : op.gates              ? call.y
                                                    : hidden;
  const op::NormLinear first{op.norm, op.expand};
  norm_linear_reference({first,
                         call.x,
                         call.expand_weight,
                         call.expand_bias,
                         {},
                         {},
                         call.gamma,
                         call.beta,
                         expanded,
                         scratch});
  conv2d_reference(
      {op.depthwise, expanded, call.depthwise_weight, call.depthwise_bias, {}, {}, hidden, {}});
  if (op.gates) {
    gate_reference({op.gate}, channels(hidden, 0, op.gated()),
                   channels(hidden, op.gated(), op.gated()), gated);
  }
  if (!op.projects) return;
  conv2d_reference(
      {op.project, gated, call.project_weight, call.project_bias, {}, call.residual, call.y, {}});
}

}  // namespace mend
