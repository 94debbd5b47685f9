// What the CUDA rungs of a convolution's gradients share: one call, and their entry points.
// op::Conv2dWeightGradient says what the letters mean.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/cuda/gemm_plan.h"

namespace mend {

/// op::Conv2dWeightGradient's numbers, as a kernel takes them.
struct CudaWeightGradientParameters {
  int kernel_h, kernel_w, stride, padding_h, padding_w, dilation, groups;
};

/// One launch. All tensors lie on the GPU and are f32, but for what is said below.
struct CudaWeightGradientCall {
  CudaWeightGradientParameters parameters;
  const Tensor &x, &dy;
  const Tensor& y;
  cudaStream_t stream;
};

/// Into how many parts the pixels are cut, times the blocks of one part: two blocks for each of an H100's
/// multiprocessors. A number of its own, so that the sums have the same bits on every GPU.
constexpr int kWeightGradientBlocks = 264;

/// One weight of one part of the rows a thread; every case.
void launch_weight_gradient_naive(const CudaWeightGradientCall& call);

/// Whether cuda_tf32 has a kernel of this extent and stride; it takes one group and dilation 1.
bool weight_gradient_tf32_knows(const CudaWeightGradientParameters& op);
void launch_weight_gradient_tf32(const CudaWeightGradientCall& call);
/// The same, of x and dy in bf16.
void launch_weight_gradient_bf16(const CudaWeightGradientCall& call);

/// A matrix product for each tap; every case with one group.
GemmProblem weight_gradient_tf32_gemm_problem(const CudaWeightGradientParameters& op,
                                              const Shape& x, const Shape& dy);
void launch_weight_gradient_tf32_gemm(const CudaWeightGradientCall& call);

/// One output for each channel, 3x3 and 5x5 of stride and dilation 1.
void launch_weight_gradient_depthwise(const CudaWeightGradientCall& call);

/// op::TurnConv2dWeight: weight [groups·K,R,S,C] -> turned [groups·C,R,S,K].
void launch_turn_conv2d_weight(const Tensor& weight, const Tensor& turned, bool turn,
                               cudaStream_t stream);

}  // namespace mend
