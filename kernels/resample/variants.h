// The rungs of the resampling's ladder.
#pragma once

#include "kernels/resample/resample.h"

namespace mend {

void resample_reference(const op::Resample& resample, View<const float> x, View<float> y,
                        Scratch scratch);
/// Only modes that pick one pixel.
void resample_rows(const op::Resample& resample, View<const float> x, View<float> y,
                   Scratch scratch);
void resample_simd(const op::Resample& resample, View<const float> x, View<float> y,
                   Scratch scratch);

/// Whether each output pixel is one input pixel.
bool picks_pixels(ResampleMode mode);

}  // namespace mend
