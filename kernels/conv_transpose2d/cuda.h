// What the CUDA rungs of conv_transpose2d share: one call, and their entry points. op::ConvTranspose2d says
// what the letters mean.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/activation/kind.h"
#include "kernels/cuda/gemm_plan.h"

namespace mend {

/// One launch. All tensors lie on the GPU; absent ones are undefined. weight: [K,R,S,C/groups] in f32, or as the
/// rung's pack left it.
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

/// The same cases as a matrix product, of f32, f16 and bf16; columns: R·S·K.
inline GemmProblem conv_transpose2d_gemm_problem(const Shape& x, int columns,
                                                 std::size_t number_bytes) {
  const int depth = gemm_depth(number_bytes);
  return {x.pixels(), columns, (x.c + depth - 1) / depth};
}
/// packed: [R·S·K rounded up to 16, 1, 1, C rounded up to 16 bytes] in the type of x, in TF32's digits if that is f32,
/// zeros behind K and C; in 16 bits rows are dealt out as those of conv2d/cuda_f16_gemm.
void launch_conv_transpose2d_gemm_pack(const Tensor& weight, const Tensor& packed,
                                       cudaStream_t stream);
void launch_conv_transpose2d_gemm(const CudaConvTranspose2dCall& call);

}  // namespace mend
