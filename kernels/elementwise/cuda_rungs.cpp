// From the operations to their launches.
#include "kernels/elementwise/cuda.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/elementwise/variants.h"

namespace mend {

void affine_cuda(const op::Affine& op, View<const float> x, View<float> y) {
  launch_affine({op.scale, op.offset, op.low, op.high}, x, y);
}

void affine_gradient_cuda(const op::AffineGradient& op, View<const float> x, View<const float> dy,
                          View<float> y) {
  launch_affine_gradient({op.scale, op.offset, op.low, op.high}, x, dy, y);
}

void binary_cuda(const op::Binary& op, View<const float> x, View<const float> z, View<float> y) {
  launch_binary(op.kind, x, z, y);
}

void extremum_gradient_cuda(const op::ExtremumGradient& op, View<const float> x,
                            View<const float> z, View<const float> dy, View<float> y) {
  launch_extremum_gradient(op.maximum, x, z, dy, y);
}

void sum_to_cuda(const op::SumTo& op, View<const float> x, View<const float> z, View<float> y,
                 Scratch) {
  launch_sum_to(op.negative_part, x, z, y);
}

}  // namespace mend
