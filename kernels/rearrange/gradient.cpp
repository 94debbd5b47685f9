// Rearrangements only move numbers: the gradient moves them back.
#include "kernels/rearrange/rearrange.h"

namespace mend::op {

Tensors Roll::backward(const Backward& call) const {
  return {apply(Roll{-shift_h, -shift_w}, {call.dy})};
}
Saves Roll::saves(const std::vector<bool>&) const { return {}; }

Tensors WindowPartition::backward(const Backward& call) const {
  const Shape x = call.inputs[0].shape();
  return {apply(WindowMerge{x.h, x.w, dilated}, {call.dy})};
}
Saves WindowPartition::saves(const std::vector<bool>&) const { return {}; }

Tensors WindowMerge::backward(const Backward& call) const {
  const Shape x = call.inputs[0].shape();
  return {apply(WindowPartition{x.h, x.w, dilated}, {call.dy})};
}
Saves WindowMerge::saves(const std::vector<bool>&) const { return {}; }

Tensors Reshape::backward(const Backward& call) const {
  const Shape x = call.inputs[0].shape();
  return {apply(Reshape{x.n, x.h, x.w}, {call.dy})};
}
Saves Reshape::saves(const std::vector<bool>&) const { return {}; }

Tensors Transpose::backward(const Backward& call) const { return {apply(Transpose{}, {call.dy})}; }
Saves Transpose::saves(const std::vector<bool>&) const { return {}; }

}  // namespace mend::op
