// One convolution on the GPU, and what it must give: for the rungs of conv2d.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "kernels/conv2d/variant.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/gpu/on_gpu.h"
#include "tests/kernels/conv2d_cases.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {

/// `x` with the numbers that `type` has.
inline Tensor rounded(const Tensor& x, DType type) {
  return x ? converted(converted(x, type), DType::kF32) : Tensor();
}

/// A case in one type: inputs that the type can hold, and what the reference makes of them.
struct Conv2dProblem {
  Conv2dProblem(const ConvCase& c, DType type) : op(c.op) {
    const int taps = op.kernel_h * op.kernel_w * (c.x.c / op.groups);
    const float bound = 1.5f / std::sqrt(static_cast<float>(taps));
    inputs.resize(op::Conv2d::kSlots);
    inputs[op::Conv2d::kX] = rounded(random_tensor(c.x, 1), type);
    const Tensor weight =
        random_tensor({op.outputs, op.kernel_h, op.kernel_w, c.x.c / op.groups}, 2);
    inputs[op::Conv2d::kWeight] = rounded(apply(op::Affine{bound}, {weight}), type);
    if (c.has_bias) inputs[op::Conv2d::kBias] = random_tensor(vector_shape(op.outputs), 3);
    if (op.activation.kind == ActivationKind::kPrelu) {
      inputs[op::Conv2d::kSlope] = random_tensor(vector_shape(op.outputs), 4);
    }
    const Shape y = op.shape(shapes_of(inputs));
    if (c.has_residual) inputs[op::Conv2d::kResidual] = rounded(random_tensor(y, 5), type);
    expected = Tensor::empty(y);
    op::Conv2d reference = op;
    reference.variant = &conv2d_ladder().front();
    reference.forward(inputs, expected, {});
    op.type = type;
  }

  /// Twice what rounding the true result to the type costs.
  double bound(const Conv2dVariant& rung) const {
    if (op.type == DType::kF32) return rung.error_within;
    return 2 * relative_error(rounded(expected, op.type), expected).value;
  }

  std::vector<Tensor> on_gpu() const {
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool narrow = i == op::Conv2d::kX || i == op::Conv2d::kResidual;
      tensors.push_back(to_gpu(inputs[i], narrow ? op.type : DType::kF32));
    }
    return tensors;
  }

  void run(const Conv2dVariant& rung, std::vector<Tensor> operands, const Tensor& y) const {
    op::Conv2d fixed = op;
    fixed.variant = &rung;
    Tensor& weight = operands[op::Conv2d::kWeight];
    if (rung.kernel.packs()) weight = apply(op::PackConv2dWeight{fixed}, {weight});
    fixed.forward(operands, y, {});
  }

  op::Conv2d op;
  std::vector<Tensor> inputs;
  Tensor expected;
};

/// Dense, and in slices that are aligned and that are not; all with the same bits.
inline void check_rung(const Conv2dProblem& problem, const Conv2dVariant& rung) {
  const DType type = problem.op.type;
  const std::vector<Tensor> operands = problem.on_gpu();
  const GuardedOnGpu dense(problem.expected.shape(), type, {0, 0});
  problem.run(rung, operands, dense.tensor());
  const Tensor y = to_host(dense.tensor());
  CHECK(relative_error(y, problem.expected) <= problem.bound(rung));
  CHECK(dense.intact());
  for (const Margins& margins : {Margins{3, 2}, Margins{8, 8}}) {
    CAPTURE(margins.before);
    std::vector<Tensor> slices = operands;
    std::vector<GuardedOnGpu> guards;
    for (const auto slot : {op::Conv2d::kX, op::Conv2d::kResidual}) {
      const Tensor& input = problem.inputs[slot];
      if (input) slices[slot] = guards.emplace_back(input, type, margins).tensor();
    }
    const GuardedOnGpu slice(problem.expected.shape(), type, margins);
    problem.run(rung, slices, slice.tensor());
    CHECK(identical(to_host(slice.tensor()), y));
    CHECK(slice.intact());
  }
}

}  // namespace mend::test
