// One check of operations that read and write images of f16 and bf16 on the CPU.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/convert/convert.h"
#include "tests/support/guarded.h"

namespace mend::test {

constexpr DType kNarrowTypes[] = {DType::kF16, DType::kBF16};

/// The same numbers in `type`, by the reference.
inline Tensor in_type(const Tensor& x, DType type) {
  if (x.dtype() == type) return x;
  const Tensor y = Tensor::empty(x.shape(), type);
  convert_ladder()[0].kernel(x, y);
  return y;
}

/// Runs narrow(type), which is `op` on images of that type, dense and in slices, on every instruction set and on one and
/// two threads, and compares it with `op` on the same numbers in f32, whose result is rounded: no more than `error`
/// (relative) may be left. `images`: a bit for each input that is narrow.
template <class Op, class Narrow>
void check_narrow(const Op& op, const Narrow& narrow, const std::vector<Tensor>& inputs,
                  std::uint32_t images, double error = 0) {
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    for (const DType type : kNarrowTypes) {
      CAPTURE(name_of(type));
      const AnyOp narrowed = narrow(type);
      std::vector<Tensor> wide, dense, slices;
      std::vector<Guarded> guards;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const bool is_image = (images >> i & 1) != 0 && inputs[i].defined();
        dense.push_back(is_image ? in_type(inputs[i], type) : inputs[i]);
        wide.push_back(is_image ? in_type(dense[i], DType::kF32) : inputs[i]);
        slices.push_back(is_image ? guards.emplace_back(dense[i]).tensor() : inputs[i]);
      }
      const Tensor expected =
          in_type(in_type(mend::apply(op, wide), narrowed.dtype()), DType::kF32);
      on_one_and_two_threads([&](int) {
        for (const std::vector<Tensor>& operands : {dense, slices}) {
          const Guarded y(expected.shape(), narrowed.dtype());
          const Storage scratch(
              static_cast<std::size_t>(narrowed.scratch_bytes(shapes_of(operands))) + 1, cpu());
          cpu().fill(scratch.data(), 0xFF, scratch.bytes());
          narrowed.forward(operands, y.tensor(), {scratch.data(), scratch.bytes()});
          CHECK(relative_error(in_type(y.tensor(), DType::kF32), expected) <= error);
          CHECK(y.intact());
        }
      });
    }
  });
}

}  // namespace mend::test
