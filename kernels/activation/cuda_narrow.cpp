// From the operation to its launch, in f16 and bf16.
#include "kernels/activation/activation.h"
#include "kernels/activation/cuda.h"
#include "kernels/activation/gradient.h"
#include "kernels/narrow.h"
#include "kernels/narrow_type.h"

namespace mend {

void activation_cuda_narrow(const op::Activate& op, Inputs inputs, const Tensor& y) {
  with_narrow_type(op.type, [&]<class T>() {
    launch_activation<T>(op.activation, inputs[op::Activate::kX].view<const T>(),
                         view_of<T>(inputs, op::Activate::kSlope), y.view<T>());
  });
}

void activation_gradient_cuda_narrow(const op::ActivationGradient& op, Inputs inputs,
                                     const Tensor& y) {
  using Op = op::ActivationGradient;
  with_narrow_type(op.type, [&]<class T>() {
    launch_activation_gradient<T>(op.activation, inputs[Op::kSeen].view<const T>(),
                                  inputs[Op::kDy].view<const T>(), view_of<T>(inputs, Op::kSlope),
                                  y.view<T>());
  });
}

}  // namespace mend
