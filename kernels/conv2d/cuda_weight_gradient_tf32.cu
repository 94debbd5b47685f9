// Of images in f32.
#include "kernels/conv2d/cuda_weight_gradient_tf32.cuh"

namespace mend {

bool weight_gradient_tf32_knows(const CudaWeightGradientParameters& op) {
  return weight_gradient::launch_of<float>(op) != nullptr;
}
void launch_weight_gradient_tf32(const CudaWeightGradientCall& call) {
  weight_gradient::launch_of<float>(call.parameters)("conv2d_weight_gradient/cuda_tf32", call);
}

}  // namespace mend
