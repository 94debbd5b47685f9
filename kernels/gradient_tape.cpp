#include "kernels/gradient_tape.h"

#include "kernels/elementwise/elementwise.h"

namespace mend {

std::shared_ptr<GradientTape> make_gradient_tape() {
  return std::make_shared<GradientTape>(op::Binary{BinaryKind::kAdd});
}

}  // namespace mend
