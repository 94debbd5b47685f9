#include "kernels/convert/convert.h"

#include <fmt/format.h>

#include "kernels/convert/rungs.h"
#include "kernels/cuda/memory_seconds.h"
#include "kernels/elementwise/elementwise.h"

namespace mend {
namespace {

double simd_seconds(const op::Convert& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

constexpr Variant<op::Convert, ConvertKernel> kLadder[] = {
    {"convert/reference", DeviceKind::kCpu, never_refuses, slowest, 0, convert_reference},
    {"convert/simd", DeviceKind::kCpu, never_refuses, simd_seconds, 0, convert_simd},
#ifdef MEND_HAS_CUDA
    {"convert/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, convert_cuda},
#endif
};

}  // namespace

std::span<const Variant<op::Convert, ConvertKernel>> convert_ladder() { return kLadder; }

NarrowImages narrow_images(DType type) {
  return {op::Convert{DType::kF32, type}, op::Convert{type, DType::kF32}};
}

namespace op {

Cost Convert::cost(const Shapes& in) const {
  const auto bytes = static_cast<double>(size_of(from) + size_of(to));
  return {0, bytes * static_cast<double>(in[0].elements())};
}

std::string Convert::describe() const {
  return fmt::format("{} to {}", name_of(from), name_of(to));
}

std::optional<RowPart> Convert::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[0].h, y);
}

void Convert::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(convert_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(inputs[0], y);
}

Cost AsF32::cost(const Shapes& in) const {
  return {0, 2.0 * sizeof(float) * static_cast<double>(in[0].elements())};
}

void AsF32::forward(Inputs inputs, const Tensor& y, Scratch) const {
  Tensor same = y;
  apply_into(Affine{}, inputs, same);
}

std::optional<Narrowed> AsF32::narrow(const Shapes&, DType type) const {
  return Narrowed{Convert{type, DType::kF32}, 1};
}

}  // namespace op
}  // namespace mend
