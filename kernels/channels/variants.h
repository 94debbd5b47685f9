// The rungs of the concatenation's ladder.
#pragma once

#include "kernels/channels/channels.h"
#include "kernels/channels/gradient.h"

namespace mend {

/// Whether the pixels of `x` already are those of `y`: the concatenation has nothing to copy.
bool same_pixels(View<const float> x, View<const float> y);
/// The slice of `count` channels of y from `first` on.
View<float> channels_of(View<float> y, int first, int count);

void concat_reference(Inputs inputs, View<float> y);
void concat_rows(Inputs inputs, View<float> y);
/// On the GPU: a copy of each input that is not in place.
void concat_cuda(Inputs inputs, View<float> y);

void place_channels_reference(const op::PlaceChannels& op, View<const float> x, View<float> y);
void place_channels_rows(const op::PlaceChannels& op, View<const float> x, View<float> y);
void place_channels_cuda(const op::PlaceChannels& op, View<const float> x, View<float> y);

}  // namespace mend
