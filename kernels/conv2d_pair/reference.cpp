// The truth: conv2d's reference, twice.
#include "kernels/conv2d/variant.h"
#include "kernels/conv2d_pair/conv2d_pair.h"

namespace mend {

std::int64_t conv2d_pair_reference_scratch(const op::Conv2dPair& op, const Shapes& in) {
  return op.first.shape(op.of_first(in)).elements() * std::int64_t{sizeof(float)};
}

void conv2d_pair_reference(const Conv2dPairCall& call) {
  const op::Conv2dPair& op = call.op;
  const Shape middle =
      op.first.shape({call.x.shape, call.weight1.shape, call.bias1.shape, call.slope1.shape});
  const std::int64_t row = std::int64_t{middle.w} * middle.c;
  const View<float> between{reinterpret_cast<float*>(call.scratch.data()), middle, row * middle.h,
                            row, middle.c};
  conv2d_reference({op.first, call.x, call.weight1, call.bias1, call.slope1, {}, between, {}});
  conv2d_reference(
      {op.second, between, call.weight2, call.bias2, call.slope2, call.residual, call.y, {}});
}

}  // namespace mend
