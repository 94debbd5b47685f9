// The rungs of quantize.
#pragma once

#include "engine/tensor.h"

namespace mend {

void quantize_reference(View<const float> x, View<const float> code, View<std::int8_t> q);
void quantize_simd(View<const float> x, View<const float> code, View<std::int8_t> q);
/// On the current GPU; only in a build with CUDA.
void quantize_cuda(View<const float> x, View<const float> code, View<std::int8_t> q);

}  // namespace mend
