// What the CUDA rungs of conv_transpose2d share: one call, and their entry points. op::ConvTranspose2d says
// what the letters mean.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/activation/kind.h"

namespace mend {

/// One launch, in f32. All tensors lie on the GPU; absent ones are undefined. weight: [K,R,S,C/groups].
struct CudaConvTranspose2dCall {
  int stride, padding, groups;
  Activation activation;
  const Tensor &x, &weight, &bias, &slope;
  const Tensor& y;
  cudaStream_t stream;
};

/// One output a thread; every case.
void launch_conv_transpose2d_naive(const CudaConvTranspose2dCall& call);
/// Kernels as large as the stride, without padding, output padding and groups.
void launch_conv_transpose2d_tiled(const CudaConvTranspose2dCall& call);

}  // namespace mend
