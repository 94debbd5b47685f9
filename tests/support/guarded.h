// Tensors between poisoned margins, and one check of all rungs of a ladder that uses them.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "engine/ladder.h"
#include "engine/op.h"
#include "engine/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/instruction_sets.h"

namespace mend::test {

/// Calls body(n, h, w, c) for every element.
template <class Body>
void for_each_element(const Shape& s, const Body& body) {
  for (int n = 0; n < s.n; ++n)
    for (int h = 0; h < s.h; ++h)
      for (int w = 0; w < s.w; ++w)
        for (int c = 0; c < s.c; ++c) body(n, h, w, c);
}

/// Numbers in [-1, 1), the same for the same seed.
Tensor random_tensor(const Shape& shape, std::uint64_t seed);

/// A tensor that lies in the middle of a larger one: 3 channels before it and 2 behind, so that it
/// is never aligned, and a pixel around it. All of that is NaN: who reads it, shows; who writes to
/// it, too.
class Guarded {
 public:
  /// NaN inside as well. Of a type in which all bits set are a NaN.
  explicit Guarded(const Shape& shape, DType dtype = DType::kF32);
  /// With the pixels of `pixels`.
  explicit Guarded(const Tensor& pixels);

  const Tensor& tensor() const { return inside_; }
  /// Whether nobody wrote outside.
  bool intact() const;

 private:
  Tensor whole_, inside_;
};

/// Whether all elements have the same bits.
bool identical(const Tensor& a, const Tensor& b);

/// Calls body(), then again on another number of threads.
template <class Body>
void on_one_and_two_threads(const Body& body) {
  const int before = threads();
  for (const int count : {1, 2}) {
    set_threads(count);
    body(count);
  }
  set_threads(before);
}

/// Runs every rung of `ladder` on the CPU that can do the case, dense and in slices, on every instruction set,
/// on one thread and two, and compares it with the first rung, the reference.
/// call(kernel, inputs, y, scratch) runs one kernel.
template <class Op, class Kernel, class Call>
void check_rungs(std::span<const Variant<Op, Kernel>> ladder, const Op& operation,
                 const std::vector<Tensor>& inputs, const Call& call) {
  const AnyOp op = operation;
  const Shapes in = shapes_of(inputs);
  const Tensor expected = Tensor::empty(op.shape(in));
  std::int64_t scratch_bytes = 1;
  on_one_and_two_threads(
      [&](int) { scratch_bytes = std::max(scratch_bytes, op.scratch_bytes(in)); });
  const Tensor scratch = Tensor::empty(vector_shape(static_cast<int>(scratch_bytes)), DType::kU8);
  const Scratch memory{scratch.storage()->data(), scratch.storage()->bytes()};
  call(ladder[0].kernel, inputs, expected, memory);

  std::vector<Tensor> slices;
  std::vector<Guarded> guards;
  for (const Tensor& input : inputs) {
    slices.push_back(input.defined() ? guards.emplace_back(input).tensor() : Tensor());
  }
  std::string input_shapes;
  for (const Shape& shape : in) input_shapes += to_string(shape);
  CAPTURE(op.describe());
  CAPTURE(input_shapes);

  for (const auto& rung : ladder) {
    if (rung.device != DeviceKind::kCpu) continue;  // tests/gpu tries the others
    if (!rung.refuses(operation, in).empty()) continue;
    CAPTURE(rung.name);
    on_every_instruction_set([&](const std::string& target) {
      CAPTURE(target);
      Tensor first;
      on_one_and_two_threads([&](int) {
        for (const std::vector<Tensor>& from : {inputs, slices}) {
          const Guarded y(expected.shape());
          cpu().fill(memory.data(), 0xFF, memory.size());
          call(rung.kernel, from, y.tensor(), memory);
          CHECK(relative_error(y.tensor(), expected) <= rung.error_within);
          CHECK(y.intact());
          if (!first) first = y.tensor().clone();
          CHECK(identical(y.tensor(), first));
        }
      });
    });
  }
}

}  // namespace mend::test
