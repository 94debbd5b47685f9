// The rungs of the concatenation's ladder.
#pragma once

#include "kernels/channels/channels.h"

namespace mend {

/// Whether the pixels of `x` already are those of `y`: the concatenation has nothing to copy.
bool same_pixels(View<const float> x, View<const float> y);
/// The slice of `count` channels of y from `first` on.
View<float> channels_of(View<float> y, int first, int count);

void concat_reference(Inputs inputs, View<float> y);
void concat_rows(Inputs inputs, View<float> y);

}  // namespace mend
