// What a network makes of pictures while it is trained.
#pragma once

#include "models/trainable.h"

namespace mend {

/// The first output for each of the inputs, all of one shape and in the host's memory, as are the results. The
/// parameters may lie on `device`, where it is computed, or in the host's memory. `records`:
/// PlanOptions::records.
Tensors trained_pictures(const TrainableModel& model, const Tensors& parameters,
                         const Tensors& inputs, Device& device, bool records);

}  // namespace mend
