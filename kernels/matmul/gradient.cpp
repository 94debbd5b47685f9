// The gradients of a matrix product are products too (Giles 2008, "Collected matrix derivative results
// for forward and reverse mode algorithmic differentiation", section 2.2.2):
//
//   Y = A·B:   dA = dY·Bᵀ,   dB = Aᵀ·dY
//
// and transposed where A or B was given transposed. Matrices that served several n or h get the sum.
#include "kernels/elementwise/gradient.h"

#include "kernels/matmul/matmul.h"

namespace mend::op {

Tensors Matmul::backward(const Backward& call) const {
  const Tensor a = call.inputs[kA], b = call.inputs[kB], dy = call.dy;
  Tensors gradients(2);
  if (call.wants(kA)) {
    const Tensor da = transpose_a ? apply(Matmul{transpose_b, true}, {b, dy})
                                  : apply(Matmul{false, !transpose_b}, {dy, b});
    gradients[kA] = sum_to(da, a.shape());
  }
  if (call.wants(kB)) {
    const Tensor db = transpose_b ? apply(Matmul{true, transpose_a}, {dy, a})
                                  : apply(Matmul{!transpose_a, false}, {a, dy});
    gradients[kB] = sum_to(db, b.shape());
  }
  return gradients;
}

Saves Matmul::saves(const std::vector<bool>& wanted) const {
  return {.inputs = (wanted[kA] ? 1u << kB : 0u) | (wanted[kB] ? 1u << kA : 0u)};
}

}  // namespace mend::op
