// cuda_fused.cuh's norm and linear layer of f32, products in TF32.
#include "kernels/norm_linear/cuda_fused.cuh"

namespace mend {

void launch_norm_linear_tf32(const CudaNormLinearCall& call) {
  norm_linear::launch<float>(call, "norm_linear/cuda_tf32");
}

}  // namespace mend
