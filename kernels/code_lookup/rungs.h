// The rungs of the code look-up's ladder.
#pragma once

#include "kernels/code_lookup/code_lookup.h"

namespace mend {

void code_lookup_reference(View<const float> logits, View<const float> codes, View<float> y);
void code_lookup_simd(View<const float> logits, View<const float> codes, View<float> y);

}  // namespace mend
