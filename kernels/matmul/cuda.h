// What the CUDA rungs of matmul share: one call, and their entry points. op::Matmul says what the letters mean.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/cuda/gemm_plan.h"

namespace mend {

/// One launch; all numbers lie on the GPU.
struct CudaMatmulCall {
  bool transpose_a, transpose_b;
  int inner;  ///< K
  View<const float> a, b;
  View<float> y;
  cudaStream_t stream;
};

/// One number of y a thread.
void launch_matmul_naive(const CudaMatmulCall& call);

constexpr int kMatmulTileRows = 128, kMatmulTileColumns = 64;
/// Into how many parts cuda_tiled cuts the sums over k.
int matmul_tiled_splits(const Shape& y, int inner);
void launch_matmul_tiled(const CudaMatmulCall& call);

GemmProblem matmul_tf32_problem(const Shape& y, int inner);
void launch_matmul_tf32(const CudaMatmulCall& call);

}  // namespace mend
