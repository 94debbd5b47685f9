// An objective as steps of a plan: its value, and where its gradient starts.
#pragma once

#include "engine/op.h"
#include "train/objective.h"

namespace mend {

/// Both take [x, target, input], the last two for the terms that look at them, and may be left out if none
/// does. Throw ShapeError if x cannot be compared with what a term compares it with.

/// dL/dx, L = Σ weight · loss; like x.
Tensor gradient_of(const Objective& terms, const Tensors& inputs);
/// L, rounded to f32, {1,1,1,1}.
Tensor value_of(const Objective& terms, const Tensors& inputs);

}  // namespace mend
