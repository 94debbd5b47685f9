// The entry points of the deformable convolution's CUDA kernels; op::DeformConv2d says what the letters mean.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"

namespace mend {

/// op::DeformConv2d for device code.
struct CudaDeform {
  int kernel_h, kernel_w;
  int stride, padding_h, padding_w, dilation, groups, offset_groups;
};

/// Absent operands have no data.
struct CudaDeformCall {
  CudaDeform op;
  View<const float> x, offset, mask, weight, bias;
  View<float> y;
  cudaStream_t stream;
};

/// An output a thread.
void launch_deform_naive(const CudaDeformCall& call);

/// What the taps of the outputs see, for rows [first, first + count) of image n of y:
/// columns [pixel][group][R·S][C/groups].
void launch_deform_columns(const CudaDeformCall& call, int n, int first, int count, float* columns);
/// y += bias.
void launch_deform_bias(const View<const float>& bias, const View<float>& y);

/// op::DeformImageGradient.
void launch_deform_image_gradient(const CudaDeform& op, const View<const float>& offset,
                                  const View<const float>& mask, const View<const float>& column,
                                  const View<float>& y, cudaStream_t stream);
/// op::DeformOffsetGradient.
void launch_deform_offset_gradient(const CudaDeform& op, bool of_mask, const View<const float>& x,
                                   const View<const float>& offset, const View<const float>& mask,
                                   const View<const float>& column, const View<float>& y,
                                   cudaStream_t stream);
/// y = the sum of `count` dense tensors like it, one behind the other.
void launch_deform_add_parts(const float* parts, int count, const View<float>& y,
                             cudaStream_t stream);

}  // namespace mend
