// The truth: the references of the parts one after the other.
#include "kernels/attention/variants.h"
#include "kernels/conv2d/variant.h"
#include "kernels/window_block/window_block.h"

namespace mend {
namespace {

std::int64_t bytes_of(const Shape& shape) { return shape.elements() * std::int64_t{sizeof(float)}; }

Shape qkv_shape(const Shape& x) { return {x.n, x.h, x.w, 3 * x.c}; }

View<float> dense(std::byte* memory, const Shape& shape) {
  const std::int64_t row = std::int64_t{shape.w} * shape.c;
  return {reinterpret_cast<float*>(memory), shape, row * shape.h, row, shape.c};
}

View<const float> third(View<float> qkv, int i) {
  Shape shape = qkv.shape;
  shape.c /= 3;
  return {qkv.data + i * shape.c, shape, qkv.n_stride, qkv.h_stride, qkv.w_stride};
}

}  // namespace

std::int64_t window_block_reference_scratch(const op::WindowBlock& op, const Shapes& in) {
  const Shape& x = in[op::WindowBlock::kX];
  return bytes_of(qkv_shape(x)) + bytes_of(x) +
         norm_linear_reference_scratch({op.norm, op.qkv}, in);
}

void window_block_reference(const WindowBlockCall& call) {
  const op::WindowBlock& op = call.op;
  const Shape& x = call.x.shape;
  const auto qkv_bytes = static_cast<std::size_t>(bytes_of(qkv_shape(x)));
  const auto mixed_bytes = static_cast<std::size_t>(bytes_of(x));
  const View<float> qkv = dense(call.scratch.data(), qkv_shape(x));
  const View<float> mixed = op.project ? dense(call.scratch.data() + qkv_bytes, x) : call.y;
  const op::NormLinear first{op.norm, op.qkv};
  norm_linear_reference({first,
                         call.x,
                         call.qkv_weight,
                         call.qkv_bias,
                         {},
                         {},
                         call.gamma,
                         call.beta,
                         qkv,
                         call.scratch.subspan(qkv_bytes + mixed_bytes)});
  window_attention_reference(op.attention,
                             {third(qkv, 0), third(qkv, 1), third(qkv, 2), call.bias, mixed, {}});
  if (!op.project) return;
  conv2d_reference(
      {*op.project, mixed, call.projection, call.projection_bias, {}, call.residual, call.y, {}});
}

}  // namespace mend
