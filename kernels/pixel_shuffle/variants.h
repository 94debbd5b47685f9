// The rungs of the pixel shuffles' ladders.
#pragma once

#include "kernels/pixel_shuffle/pixel_shuffle.h"

namespace mend {

void pixel_shuffle_reference(const op::PixelShuffle& shuffle, View<const float> x, View<float> y);
void pixel_shuffle_rows(const op::PixelShuffle& shuffle, View<const float> x, View<float> y);

void pixel_unshuffle_reference(const op::PixelUnshuffle& unshuffle, View<const float> x,
                               View<float> y);
void pixel_unshuffle_rows(const op::PixelUnshuffle& unshuffle, View<const float> x, View<float> y);

}  // namespace mend
