// op::Conv2d as its kernels take it, for rooms whose kernels are made of conv2d's.
#pragma once

#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/cuda.h"

namespace mend {

/// `slope`: [1,1,1,1] if all channels share one.
CudaConv2dParameters cuda_parameters_of(const op::Conv2d& op, const Shape& slope);

/// A call in the stream of y's GPU, which becomes the current one. `inputs`: op::Conv2d's slots, further ones are
/// not looked at. They and y must outlive the call.
CudaConv2dCall cuda_conv2d_call(const op::Conv2d& op, Inputs inputs, const Tensor& y);

}  // namespace mend
