// The truth: the two references one after the other.
#include "kernels/conv2d/variant.h"
#include "kernels/norm_linear/norm_linear.h"
#include "kernels/normalization/variants.h"

namespace mend {

std::int64_t norm_linear_reference_scratch(const op::NormLinear&, const Shapes& in) {
  return in[op::NormLinear::kX].elements() * std::int64_t{sizeof(float)};
}

void norm_linear_reference(const NormLinearCall& call) {
  const Shape& shape = call.x.shape;
  const std::int64_t row = std::int64_t{shape.w} * shape.c;
  const View<float> normal{reinterpret_cast<float*>(call.scratch.data()), shape, row * shape.h, row,
                           shape.c};
  const op::LayerNorm& norm = call.op.norm;
  pixel_norm_reference(norm.subtract_mean ? PixelMeasure::kDeviation : PixelMeasure::kDeviationOnly,
                       norm.eps, call.x, call.gamma, call.beta, normal);
  conv2d_reference({call.op.linear,
                    {normal.data, shape, normal.n_stride, normal.h_stride, normal.w_stride},
                    call.weight,
                    call.bias,
                    call.slope,
                    call.residual,
                    call.y,
                    {}});
}

}  // namespace mend
