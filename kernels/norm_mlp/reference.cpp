// The truth: the references of the parts one after the other.
#include "kernels/conv2d/variant.h"
#include "kernels/norm_mlp/norm_mlp.h"

namespace mend {
namespace {

std::int64_t hidden_bytes(const op::NormMlp& op, const Shape& x) {
  return x.pixels() * op.expand.outputs * std::int64_t{sizeof(float)};
}

}  // namespace

std::int64_t norm_mlp_reference_scratch(const op::NormMlp& op, const Shapes& in) {
  return hidden_bytes(op, in[op::NormMlp::kX]) +
         norm_linear_reference_scratch({op.norm, op.expand}, in);
}

void norm_mlp_reference(const NormMlpCall& call) {
  const Shape& x = call.x.shape;
  const Shape shape{x.n, x.h, x.w, call.op.expand.outputs};
  const std::int64_t row = std::int64_t{shape.w} * shape.c;
  const View<float> hidden{reinterpret_cast<float*>(call.scratch.data()), shape, row * shape.h, row,
                           shape.c};
  const Scratch rest = call.scratch.subspan(static_cast<std::size_t>(hidden_bytes(call.op, x)));
  const op::NormLinear first{call.op.norm, call.op.expand};
  norm_linear_reference(
      {first, call.x, call.weight1, call.bias1, {}, {}, call.gamma, call.beta, hidden, rest});
  conv2d_reference(
      {call.op.contract, hidden, call.weight2, call.bias2, {}, call.residual, call.y, {}});
}

}  // namespace mend
