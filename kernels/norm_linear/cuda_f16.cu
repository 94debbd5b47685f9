// cuda_fused.cuh's norm and linear layer of f16 and bf16.
#include "kernels/narrow_type.h"
#include "kernels/norm_linear/cuda_fused.cuh"

namespace mend {

void launch_norm_linear_f16(const CudaNormLinearCall& call) {
  with_narrow_type(call.linear.x.dtype(),
                   [&]<class T>() { norm_linear::launch<T>(call, "norm_linear/cuda_f16"); });
}

}  // namespace mend
