// The rungs of the pixel shuffles' ladders.
#pragma once

#include "kernels/pixel_shuffle/pixel_shuffle.h"

namespace mend {

void pixel_shuffle_reference(const op::PixelShuffle& shuffle, View<const float> x, View<float> y);
void pixel_shuffle_rows(const op::PixelShuffle& shuffle, View<const float> x, View<float> y);

/// On the GPU.
std::string pixel_shuffle_cuda_refuses(const op::PixelShuffle& op, const Shapes& in);
void pixel_shuffle_cuda(const op::PixelShuffle& shuffle, View<const float> x, View<float> y);
void pixel_shuffle_cuda_narrow(const op::PixelShuffle& op, Inputs inputs, const Tensor& y);

void pixel_unshuffle_reference(const op::PixelUnshuffle& unshuffle, View<const float> x,
                               View<float> y);
void pixel_unshuffle_rows(const op::PixelUnshuffle& unshuffle, View<const float> x, View<float> y);
std::string pixel_unshuffle_cuda_refuses(const op::PixelUnshuffle& op, const Shapes& in);
void pixel_unshuffle_cuda(const op::PixelUnshuffle& unshuffle, View<const float> x, View<float> y);
void pixel_unshuffle_cuda_narrow(const op::PixelUnshuffle& op, Inputs inputs, const Tensor& y);

}  // namespace mend
