// The truth: the references of the parts one after the other.
#include "kernels/activation/gate.h"
#include "kernels/conv2d/variant.h"
#include "kernels/norm_mlp/norm_mlp.h"

namespace mend {
namespace {

std::int64_t hidden_bytes(const op::NormMlp& op, const Shape& x) {
  return x.pixels() * op.expand.outputs * std::int64_t{sizeof(float)};
}

}  // namespace

std::int64_t norm_mlp_reference_scratch(const op::NormMlp& op, const Shapes& in) {
  return 2 * hidden_bytes(op, in[op::NormMlp::kX]) +
         norm_linear_reference_scratch({op.norm, op.expand}, in);
}

void norm_mlp_reference(const NormMlpCall& call) {
  const op::NormMlp& op = call.op;
  const Shape& x = call.x.shape;
  const auto bytes = static_cast<std::size_t>(hidden_bytes(op, x));
  const auto image = [&](std::size_t at, int channels) {
    const std::int64_t row = std::int64_t{x.w} * channels;
    return View<float>{reinterpret_cast<float*>(call.scratch.data() + at),
                       {x.n, x.h, x.w, channels},
                       row * x.h,
                       row,
                       channels};
  };
  const View<float> hidden = image(0, op.expand.outputs);
  norm_linear_reference({{op.norm, op.expand},
                         call.x,
                         call.weight1,
                         call.bias1,
                         {},
                         {},
                         call.gamma,
                         call.beta,
                         hidden,
                         call.scratch.subspan(2 * bytes)});
  View<float> gated = hidden;
  if (op.gates) {
    View<const float> first = hidden, second = hidden;
    first.shape.c = second.shape.c = op.gated();
    second.data += op.gated();
    gated = op.contracts ? image(bytes, op.gated()) : call.y;
    gate_reference({op.gate}, first, second, gated);
  }
  if (!op.contracts) return;
  conv2d_reference({op.contract, gated, call.weight2, call.bias2, {}, call.residual, call.y, {}});
}

}  // namespace mend
