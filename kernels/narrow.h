// Rungs that take images of f16 and bf16 besides f32.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "engine/op.h"
#include "kernels/inputs.h"

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

/// A CPU rung's functions on images of f32, f16 and bf16, each a Function<T>; null: it takes f32 alone. All
/// compute in f32.
template <template <class> class Function>
struct ByType {
  Function<float> f32 = nullptr;
  Function<Half> f16 = nullptr;
  Function<BFloat16> bf16 = nullptr;

  constexpr ByType() = default;
  constexpr ByType(Function<float> on_f32, Function<Half> on_f16 = nullptr,  // NOLINT: implicit
                   Function<BFloat16> on_bf16 = nullptr)
      : f32(on_f32), f16(on_f16), bf16(on_bf16) {}

  template <class... Arguments>
  void operator()(Arguments&&... arguments) const {
    f32(std::forward<Arguments>(arguments)...);
  }
};

/// `op` on images of `to` for its inputs `images`, a bit each, where its rung on the CPU takes them.
template <class Op>
std::optional<Narrowed> narrow_on_cpu(Op op, std::uint32_t images, DType to, DeviceKind device) {
  const bool can =
      device == DeviceKind::kCpu && op.variant != nullptr && op.variant->kernel.run.f16 != nullptr;
  if (!can) return std::nullopt;
  op.type = to;
  return Narrowed{op, images};
}

/// call.operator()<T>(function) with the function for images of `type`.
template <template <class> class Function, class Call>
void run_by_type(const ByType<Function>& functions, DType type, const Call& call) {
  if (type == DType::kF16) return call.template operator()<Half>(functions.f16);
  if (type == DType::kBF16) return call.template operator()<BFloat16>(functions.bf16);
  call.template operator()<float>(functions.f32);
}

/// What a rung says that computes in f32 alone.
inline std::string refuses_all_but_f32(DType type) {
  if (type == DType::kF32) return {};
  return fmt::format("computes in f32, not {}", name_of(type));
}
/// Predicate of a rung that can do every case in f32.
template <class Op>
std::string takes_f32_alone(const Op& op, const Shapes&) {
  return refuses_all_but_f32(op.type);
}

/// `op` with its first `inputs` inputs, 32 at most, in `type`, following an input that is narrow already.
template <class Op>
Narrowed narrow_inputs(Op op, std::size_t inputs, DType type) {
  op.type = type;
  return {op, static_cast<std::uint32_t>((std::uint64_t{1} << inputs) - 1)};
}

}  // namespace mend
