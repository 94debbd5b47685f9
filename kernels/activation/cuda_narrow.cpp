// From the operation to its launch, in f16 and bf16.
#include "kernels/activation/activation.h"
#include "kernels/activation/cuda.h"
#include "kernels/narrow_type.h"

namespace mend {

void activation_cuda_narrow(const op::Activate& op, Inputs inputs, const Tensor& y) {
  with_narrow_type(op.type, [&]<class T>() {
    const bool has_slope = inputs.size() > op::Activate::kSlope;
    launch_activation<T>(op.activation, inputs[op::Activate::kX].view<const T>(),
                         has_slope ? inputs[op::Activate::kSlope].view<const T>() : View<const T>{},
                         y.view<T>());
  });
}

}  // namespace mend
