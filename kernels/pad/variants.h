// The rungs of the padding's ladder.
#pragma once

#include "kernels/pad/pad.h"

namespace mend {

void pad_reference(const op::Pad& pad, View<const float> x, View<float> y);
void pad_rows(const op::Pad& pad, View<const float> x, View<float> y);
/// On the GPU.
void pad_cuda(const op::Pad& pad, View<const float> x, View<float> y);
void pad_cuda_narrow(const op::Pad& pad, Inputs inputs, const Tensor& y);

}  // namespace mend
