// One launch of the CUDA rungs of norm_linear. op::NormLinear says what the letters mean. Device code includes
// this; op::NormLinear itself stays on the host (cuda_rungs.cpp).
#pragma once

#include "kernels/conv2d/cuda.h"

namespace mend {

/// All tensors lie on the GPU; absent ones are undefined.
struct CudaNormLinearCall {
  CudaConv2dCall
      linear;  ///< with the norm's x, and a weight as launch_conv2d_{tf32,f16}_gemm_pack leaves it
  float eps;
  bool subtract_mean;
  const Tensor &gamma, &beta;  ///< f32
};

/// x, residual and y in f32, products in TF32.
void launch_norm_linear_tf32(const CudaNormLinearCall& call);
/// In f16 or bf16.
void launch_norm_linear_f16(const CudaNormLinearCall& call);

}  // namespace mend
