// Between a picture's numbers, 0 black and 1 white, and those that a network reads and writes.
#pragma once

#include "engine/tensor.h"
#include "kernels/resample/resample.h"
#include "models/network.h"
#include "restore/color.h"

namespace mend {

/// Which luma a network of one channel works on.
inline LumaRange luma_range(const Traits& traits) {
  return traits.colour == Colour::kLuma ? LumaRange::kLimited : LumaRange::kFull;
}

/// Writes the picture [1,h,w,1 or 3] into `to` [1,h,w,picture_channels] in black..white: a gray
/// network sees a colour picture's luma, a colour network gray three times.
void to_network(const Tensor& picture, const Traits& traits, const Tensor& to);
Tensor to_network(const Tensor& picture, const Traits& traits);

/// The network's result in black..white -> 0..1, not clipped; the channels stay.
Tensor from_network(const Tensor& result, const Traits& traits);

/// Gray [N,H,W,1] three times; RGB as it is.
Tensor as_rgb(const Tensor& picture);

/// [N,H,W,C] -> [N,h,w,C] by op::Resample; x itself if it has that size.
Tensor resized(const Tensor& x, int h, int w, ResampleMode mode, bool antialias = false);

}  // namespace mend
