// Of images in bf16, for the kernels and strides that cuda_tf32 knows.
#include "kernels/conv2d/cuda_weight_gradient_tf32.cuh"

namespace mend {

void launch_weight_gradient_bf16(const CudaWeightGradientCall& call) {
  weight_gradient::launch_of<BFloat16>(call.parameters)("conv2d_weight_gradient/cuda_bf16", call);
}

}  // namespace mend
