// The loops of the CPU.
#pragma once

#include "kernels/parameter_update/parameter_update.h"

namespace mend {

void for_each_number_cpu(const NumberRule& rule, const PieceSpan& pieces);
/// sums: Σ g² of array 0 of each piece, then of all.
void sum_squares_cpu(const PieceSpan& pieces, double* sums);

}  // namespace mend
