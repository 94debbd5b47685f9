// The kernels of a GPU; the same as in cpu.h.
#pragma once

#include "kernels/parameter_update/parameter_update.h"

namespace mend {

void for_each_number_cuda(const NumberRule& rule, const PieceSpan& pieces);
void sum_squares_cuda(const PieceSpan& pieces, double* sums);

}  // namespace mend
