// One check of the CUDA rungs of a ladder whose kernels are functions of views.
#pragma once

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <vector>

#include "engine/ladder.h"
#include "engine/op.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {

/// Runs every CUDA rung of `ladder` that can do the case, dense and in slices that are aligned and that
/// are not, and compares it with the first rung, the reference on the CPU; dense twice, for the same bits.
/// call(kernel, inputs, y) runs one kernel. Returns how many rungs ran.
template <class Op, class Kernel, class Call>
int check_gpu_rungs(std::span<const Variant<Op, Kernel>> ladder, const Op& operation,
                    const std::vector<Tensor>& inputs, const Call& call) {
  const AnyOp op = operation;
  const Shapes in = shapes_of(inputs);
  const Tensor expected = Tensor::empty(op.shape(in));
  call(ladder[0].kernel, inputs, expected);
  std::string input_shapes;
  for (const Shape& shape : in) input_shapes += to_string(shape);
  CAPTURE(op.describe());
  CAPTURE(input_shapes);
  CHECK(op.runs_on(DeviceKind::kCuda));

  gpu(0).make_current();
  int tried = 0;
  for (const auto& rung : ladder) {
    if (rung.device != DeviceKind::kCuda || !rung.refuses(operation, in).empty()) continue;
    CAPTURE(rung.name);
    ++tried;
    Tensor dense;
    for (const Margins& margins : {Margins{0, 0}, Margins{0, 0}, Margins{3, 2}, Margins{8, 8}}) {
      CAPTURE(margins.before);
      const bool is_slice = margins.before > 0;
      std::vector<Tensor> operands;
      std::vector<GuardedOnGpu> guards;
      for (const Tensor& input : inputs) {
        operands.push_back(!input     ? Tensor()
                           : is_slice ? guards.emplace_back(input, DType::kF32, margins).tensor()
                                      : to_gpu(input));
      }
      const GuardedOnGpu guarded(expected.shape(), DType::kF32, margins);
      const Tensor on_gpu =
          is_slice ? guarded.tensor() : Tensor::empty(expected.shape(), DType::kF32, gpu(0));
      call(rung.kernel, operands, on_gpu);
      const Tensor y = to_host(on_gpu);
      CHECK(relative_error(y, expected) <= rung.error_within);
      CHECK(guarded.intact());
      if (!dense) dense = y;
      if (!is_slice) CHECK(identical(y, dense));
    }
  }
  CHECK(tried > 0);
  return tried;
}

/// Numbers in [-bound, bound), the same for the same seed.
inline Tensor random_within(const Shape& shape, float bound, std::uint64_t seed) {
  const Tensor x = random_tensor(shape, seed);
  float* values = x.view<float>().data;
  for (std::int64_t i = 0; i < shape.elements(); ++i) values[i] *= bound;
  return x;
}

}  // namespace mend::test
