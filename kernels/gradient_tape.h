// A tape whose gradients are added by op::Binary.
#pragma once

#include <memory>

#include "engine/tape.h"

namespace mend {

std::shared_ptr<GradientTape> make_gradient_tape();

}  // namespace mend
