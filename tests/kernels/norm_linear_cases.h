// Layer norms with a linear layer behind, for the rungs of every device.
#pragma once

#include <string>
#include <vector>

#include "kernels/norm_linear/norm_linear.h"
#include "tests/support/guarded.h"

namespace mend::test {

struct NormLinearCase {
  Shape x;
  int outputs;
  bool subtract_mean = true, has_bias = true, has_gamma = true, has_residual = false;
  Activation activation = {};
  float scale = 1;

  op::NormLinear op() const {
    op::NormLinear op;
    op.norm.subtract_mean = subtract_mean;
    op.linear.outputs = outputs;
    op.linear.activation = activation;
    op.linear.scale = scale;
    op.linear.adds_residual = has_residual;
    return op;
  }

  std::vector<Tensor> inputs() const {
    const int C = x.c, K = outputs;
    const bool has_slope = activation.kind == ActivationKind::kPrelu;
    const auto optional = [](bool there, const Shape& shape, int seed) {
      return there ? random_tensor(shape, seed) : Tensor();
    };
    return {random_tensor(x, 1),
            random_tensor({K, 1, 1, C}, 2),
            optional(has_bias, vector_shape(K), 3),
            optional(has_slope, vector_shape(K), 7),
            optional(has_residual, {x.n, x.h, x.w, K}, 4),
            optional(has_gamma, vector_shape(C), 5),
            optional(has_gamma, vector_shape(C), 6)};
  }
};

const NormLinearCase kAwkwardNormLinear[] = {
    {{1, 1, 1, 1}, 1},
    {{1, 1, 1, 60}, 180},
    {{2, 3, 5, 7}, 5, false, false, false},
    {{1, 5, 7, 127}, 33, false, true, true, true},
    {{2, 9, 13, 60}, 180, true, true, true, false, {ActivationKind::kGelu}},
    {{1, 1, 700, 180}, 65, true, true, true, true, {}, -0.5f},
    {{1, 30, 31, 16}, 64, true, false, true},
    {{1, 7, 9, 34}, 20, true, true, true, false, {ActivationKind::kPrelu}},
};

/// One of the ladder's kernels on tensors of its device, with its weight packed.
inline void run_norm_linear(const op::NormLinear& op, const NormLinearKernel& kernel, Inputs inputs,
                            const Tensor& y) {
  for (const NormLinearVariant& rung : norm_linear_ladder()) {
    if (&rung.kernel != &kernel) continue;
    const op::NormLinear fixed = op.on(rung);
    std::vector<Tensor> operands(inputs.begin(), inputs.end());
    if (kernel.packs_weight()) {
      operands[op::NormLinear::kWeight] =
          apply(op::PackConv2dWeight{fixed.linear}, {inputs[op::NormLinear::kWeight]});
    }
    const Storage memory(static_cast<std::size_t>(fixed.scratch_bytes(shapes_of(operands)) + 1),
                         y.device());
    fixed.forward(operands, y, {memory.data(), memory.bytes()});
  }
}

}  // namespace mend::test
