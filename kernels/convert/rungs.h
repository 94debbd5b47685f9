// The rungs of the conversion's ladder.
#pragma once

#include "engine/tensor.h"

namespace mend {

void convert_reference(const Tensor& x, const Tensor& y);
void convert_simd(const Tensor& x, const Tensor& y);
/// On the GPU.
void convert_cuda(const Tensor& x, const Tensor& y);

}  // namespace mend
