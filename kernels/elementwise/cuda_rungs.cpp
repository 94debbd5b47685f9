// From the operations to their launches.
#include "kernels/elementwise/cuda.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/elementwise/variants.h"
#include "kernels/narrow.h"
#include "kernels/narrow_type.h"

namespace mend {

void affine_cuda(const op::Affine& op, View<const float> x, View<float> y) {
  launch_affine<float>({op.scale, op.offset, op.low, op.high}, x, y);
}

void affine_cuda_narrow(const op::Affine& op, Inputs inputs, const Tensor& y) {
  with_narrow_type(op.type, [&]<class T>() {
    launch_affine<T>({op.scale, op.offset, op.low, op.high}, inputs[0].view<const T>(),
                     y.view<T>());
  });
}

void affine_gradient_cuda(const op::AffineGradient& op, View<const float> x, View<const float> dy,
                          View<float> y) {
  launch_affine_gradient({op.scale, op.offset, op.low, op.high}, x, dy, y);
}

void binary_cuda(const op::Binary& op, View<const float> x, View<const float> z, View<float> y) {
  launch_binary<float>(op.kind, x, z, y);
}

void binary_cuda_narrow(const op::Binary& op, Inputs inputs, const Tensor& y) {
  with_narrow_type(op.type, [&]<class T>() {
    launch_binary<T>(op.kind, inputs[0].view<const T>(), inputs[1].view<const T>(), y.view<T>());
  });
}

void extremum_gradient_cuda(const op::ExtremumGradient& op, View<const float> x,
                            View<const float> z, View<const float> dy, View<float> y) {
  launch_extremum_gradient(op.maximum, x, z, dy, y);
}

void sum_to_cuda(const op::SumTo& op, View<const float> x, View<const float> z, View<float> y,
                 Scratch) {
  launch_sum_to<float>(op.negative_part, x, z, y);
}

void sum_to_cuda_narrow(const op::SumTo& op, Inputs inputs, const Tensor& y) {
  with_narrow_type(op.type, [&]<class T>() {
    launch_sum_to<T>(op.negative_part, inputs[op::SumTo::kX].view<const T>(),
                     view_of<T>(inputs, op::SumTo::kZ), y.view<float>());
  });
}

}  // namespace mend
