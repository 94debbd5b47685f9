// The rungs of the matmul ladder.
#pragma once

#include "kernels/matmul/matmul.h"

namespace mend {

void matmul_reference(const op::Matmul& op, View<const float> a, View<const float> b, View<float> y,
                      Scratch scratch);
void matmul_panels(const op::Matmul& op, View<const float> a, View<const float> b, View<float> y,
                   Scratch scratch);
/// Working memory of matmul_panels in bytes.
std::int64_t matmul_panels_scratch(const op::Matmul& op, const Shapes& in);

}  // namespace mend
