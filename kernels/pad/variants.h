// The rungs of the padding's ladder.
#pragma once

#include "kernels/pad/pad.h"

namespace mend {

/// The row (or column) of an image with `extent` of them that stands at `position`, which may lie
/// outside; -1 where the constant stands.
int padding_source(PadMode mode, int position, int extent);

void pad_reference(const op::Pad& pad, View<const float> x, View<float> y);
void pad_rows(const op::Pad& pad, View<const float> x, View<float> y);

}  // namespace mend
