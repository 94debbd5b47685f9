// An objective as steps of a plan: its value, and where its gradient starts.
#pragma once

#include "engine/op.h"
#include "train/objective.h"

namespace mend {

struct LossSteps {
  Tensor value;     ///< L = Σ weight · loss, rounded to f32, {1,1,1,1}
  Tensor gradient;  ///< dL/dx, like x
};

/// `inputs` are [x, target, input], off any tape; the last two, for the terms that look at them, may be left out
/// if none does. Throws ShapeError if x cannot be compared with what a term compares it with.
LossSteps loss_steps(const Objective& terms, const Tensors& inputs);

}  // namespace mend
