// One check of all rungs of a ladder that run on the GPU, for rooms whose kernels take bare views.
#pragma once

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <vector>

#include "engine/ladder.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {

/// Where a tensor lies: dense, or in the middle of a larger one.
inline constexpr Margins kGpuLayouts[] = {{0, 0}, {3, 2}, {8, 8}};

/// Runs every rung of `ladder` on the GPU that can do the case, dense and in slices that are aligned and
/// that are not, and compares it with the first rung, the reference, on the CPU. All layouts have the
/// same bits. call(kernel, inputs, y) runs one kernel. Returns how many rungs ran.
template <class Op, class Kernel, class Call>
int check_gpu_rungs(std::span<const Variant<Op, Kernel>> ladder, const Op& operation,
                    const std::vector<Tensor>& inputs, const Call& call) {
  const Shapes in = shapes_of(inputs);
  const AnyOp op = operation;
  const Tensor expected = Tensor::empty(op.shape(in));
  call(ladder[0].kernel, inputs, expected);
  std::vector<Tensor> dense;
  std::string shapes;
  for (const Tensor& input : inputs) {
    dense.push_back(to_gpu(input));
    shapes += to_string(input.shape());
  }
  CAPTURE(op.describe());
  CAPTURE(shapes);
  gpu(0).make_current();
  int ran = 0;
  for (const auto& rung : ladder) {
    if (rung.device != DeviceKind::kCuda || !rung.refuses(operation, in).empty()) continue;
    CAPTURE(rung.name);
    ++ran;
    const Tensor y_on_gpu = Tensor::empty(expected.shape(), DType::kF32, gpu(0));
    call(rung.kernel, dense, y_on_gpu);
    const Tensor y = to_host(y_on_gpu);
    CHECK(relative_error(y, expected) <= rung.error_within);
    for (const Margins& margins : kGpuLayouts) {
      CAPTURE(margins.before);
      std::vector<Tensor> slices;
      std::vector<GuardedOnGpu> guards;
      for (const Tensor& input : inputs) {
        slices.push_back(guards.emplace_back(input, DType::kF32, margins).tensor());
      }
      const GuardedOnGpu slice(expected.shape(), DType::kF32, margins);
      call(rung.kernel, slices, slice.tensor());
      CHECK(identical(to_host(slice.tensor()), y));
      CHECK(slice.intact());
    }
  }
  return ran;
}

}  // namespace mend::test
