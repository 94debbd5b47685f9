// The rungs of the deformable convolution's ladder.
#pragma once

#include "kernels/deform_conv2d/deform_conv2d.h"

namespace mend {

void deform_conv2d_reference(const DeformConv2dCall& call);

std::int64_t deform_conv2d_columns_scratch(const op::DeformConv2d& op, const Shapes& in);
void deform_conv2d_columns(const DeformConv2dCall& call);

// On the GPU.
double deform_conv2d_cuda_naive_seconds(const op::DeformConv2d& op, const Shapes& in);
void deform_conv2d_cuda_naive(const DeformConv2dCall& call);
double deform_conv2d_cuda_columns_seconds(const op::DeformConv2d& op, const Shapes& in);
void deform_conv2d_cuda_columns(const DeformConv2dCall& call);

}  // namespace mend
