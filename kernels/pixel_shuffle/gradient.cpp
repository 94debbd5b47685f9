// Depth to space and space to depth move numbers, so each is the gradient of the other.
#include "kernels/pixel_shuffle/pixel_shuffle.h"

namespace mend::op {

Tensors PixelShuffle::backward(const Backward& call) const {
  return {apply(PixelUnshuffle{factor}, {call.dy})};
}

Saves PixelShuffle::saves(const std::vector<bool>&) const { return {}; }

Tensors PixelUnshuffle::backward(const Backward& call) const {
  return {apply(PixelShuffle{factor}, {call.dy})};
}

Saves PixelUnshuffle::saves(const std::vector<bool>&) const { return {}; }

}  // namespace mend::op
