// The perceptual loss: pictures compared by what VGG19 sees in them.
#pragma once

#include "train/training_step.h"

namespace mend {

/// What PerceptualOptions describes (train/objective.h), its weights read. Throws CheckpointError if they
/// are not VGG19's.
Critic perceptual_critic(const PerceptualOptions& options);

}  // namespace mend
