// Rungs that take images of f16 and bf16 besides f32.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "engine/op.h"

namespace mend {

/// A rung's functions: one on views of f32, and on a GPU perhaps one on tensors of op.type.
template <class Op, class Run>
struct NarrowableKernel {
  Run run;
  void (*narrow)(const Op& op, Inputs inputs, const Tensor& y) = nullptr;

  constexpr NarrowableKernel(Run on_f32, decltype(narrow) on_narrow = nullptr)  // NOLINT: implicit
      : run(on_f32), narrow(on_narrow) {}

  template <class... Arguments>
  void operator()(Arguments&&... arguments) const {
    run(std::forward<Arguments>(arguments)...);
  }
};

/// Predicate of a rung that can do every case in f32.
template <class Op>
std::string takes_f32_alone(const Op& op, const Shapes&) {
  if (op.type == DType::kF32) return {};
  return fmt::format("computes in f32, not {}", name_of(op.type));
}

/// `op` with its first `inputs` inputs, 32 at most, in `type`, following an input that is narrow already.
template <class Op>
Narrowed narrow_inputs(Op op, std::size_t inputs, DType type) {
  op.type = type;
  return {op, static_cast<std::uint32_t>((std::uint64_t{1} << inputs) - 1)};
}

}  // namespace mend
