// The rungs of the ladders of the deformable convolution's gradients.
#pragma once

#include "kernels/deform_conv2d/gradient.h"

namespace mend {

// On the GPU.
void deform_column_gradient_cuda(const op::DeformColumnGradient& op, View<const float> weight,
                                 View<const float> dy, View<float> y);
void deform_image_gradient_cuda(const op::DeformImageGradient& op, View<const float> offset,
                                View<const float> mask, View<const float> column, View<float> y);
void deform_offset_gradient_cuda(const op::DeformOffsetGradient& op, View<const float> x,
                                 View<const float> offset, View<const float> mask,
                                 View<const float> column, View<float> y);
void deform_weight_gradient_cuda(const op::DeformWeightGradient& op, View<const float> x,
                                 View<const float> offset, View<const float> mask,
                                 View<const float> dy, View<float> y, Scratch scratch);

}  // namespace mend
