// The epilogue of a convolution that somebody else computed.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/activation/kind.h"

namespace mend {

/// y = scale · activation(z + bias) + residual, where z is a convolution; z may be y. Absent tensors are undefined;
/// z, residual and y have one type, bias and slope are f32.
struct CudaConv2dEpilogue {
  Activation activation;
  float scale;
  const Tensor z, bias, slope, residual;
  const Tensor& y;
  cudaStream_t stream;

  bool changes_nothing() const {
    const bool is_plain = activation.kind == ActivationKind::kNone && scale == 1.0f;
    return is_plain && !bias && !residual && z.address() == y.address();
  }
};
void launch_conv2d_epilogue(const CudaConv2dEpilogue& epilogue);

}  // namespace mend
