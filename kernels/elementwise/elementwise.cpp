#include "kernels/elementwise/elementwise.h"

#include <algorithm>
#include <cassert>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/elementwise/variants.h"

namespace mend {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

double affine_seconds(const op::Affine& affine, const Shapes& in) {
  return affine.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

double binary_seconds(const op::Binary& binary, const Shapes& in) {
  const Cost cost = binary.cost(in);
  return cost.bytes / NominalMachine::kBytesPerSecond +
         cost.flops / NominalMachine::kFlopsPerSecond;
}

// clang-format off
constexpr Variant<op::Affine, AffineKernel> kAffineLadder[] = {
    // name              device            can it?         time            error  entry
    {"affine/reference", DeviceKind::kCpu, takes_f32_alone, slowest,        0,    affine_reference},
    {"affine/simd",      DeviceKind::kCpu, takes_f32_alone, affine_seconds, 1e-6, affine_simd},
#ifdef MEND_HAS_CUDA
    {"affine/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-6, {affine_cuda, affine_cuda_narrow}},
#endif
};

constexpr Variant<op::Binary, BinaryKernel> kBinaryLadder[] = {
    // name              device            can it?         time            error  entry
    {"binary/reference", DeviceKind::kCpu, takes_f32_alone, slowest,        0,    binary_reference},
    {"binary/simd",      DeviceKind::kCpu, takes_f32_alone, binary_seconds, 1e-6, binary_simd},
#ifdef MEND_HAS_CUDA
    {"binary/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6, {binary_cuda, binary_cuda_narrow}},
#endif
};
// clang-format on

constexpr std::string_view name_of(BinaryKind kind) {
  constexpr std::string_view kNames[] = {"add",     "subtract", "multiply", "divide",
                                         "minimum", "maximum",  "power"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// The larger of two extents that are equal or of which one is 1; 0 if they are neither.
int broadcast(int x, int z) { return x == z || z == 1 ? x : x == 1 ? z : 0; }

}  // namespace

std::span<const Variant<op::Affine, AffineKernel>> affine_ladder() { return kAffineLadder; }
std::span<const Variant<op::Binary, BinaryKernel>> binary_ladder() { return kBinaryLadder; }

namespace op {

bool Affine::is_scale() const { return offset == 0.0f && low == -kInfinity && high == kInfinity; }

Shape Affine::shape(const Shapes& in) const {
  assert(in.size() == 1);
  return in[kX];
}

Cost Affine::cost(const Shapes& in) const {
  const double elements = static_cast<double>(in[kX].elements());
  return {2 * elements, 2 * static_cast<double>(size_of(type)) * elements};
}

std::optional<Narrowed> Affine::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 1, to);
}

Footprint Affine::footprint(const Shapes&) const { return {}; }

std::string Affine::describe() const {
  std::string text = fmt::format("{}*x", scale);
  if (offset != 0.0f) text += fmt::format(" + {}", offset);
  if (low != -kInfinity || high != kInfinity) text += fmt::format(" in [{},{}]", low, high);
  return text;
}

std::optional<RowPart> Affine::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[kX].h, y);
}

void Affine::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(affine_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(*this, inputs[kX].view<const float>(), y.view<float>());
}

std::optional<Fusion> Affine::absorb(const AnyOp& next, int, const Shapes&) const {
  const Affine* after = next.as<Affine>();
  if (after == nullptr || low != -kInfinity || high != kInfinity) return std::nullopt;
  const Affine both{after->scale * scale, after->scale * offset + after->offset, after->low,
                    after->high};
  return Fusion{both, {{FusedInput::kMine, kX}}};
}

std::optional<Narrowed> Binary::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 2, to);
}

Shape Binary::shape(const Shapes& in) const {
  assert(in.size() == 2);
  const Shape &x = in[kX], &z = in[kZ];
  const Shape y{broadcast(x.n, z.n), broadcast(x.h, z.h), broadcast(x.w, z.w), broadcast(x.c, z.c)};
  if (y.n == 0 || y.h == 0 || y.w == 0 || y.c == 0) {
    throw ShapeError(fmt::format("{}: {} and {} do not fit: extents must be equal or 1",
                                 name_of(kind), to_string(x), to_string(z)));
  }
  return y;
}

Cost Binary::cost(const Shapes& in) const {
  const std::int64_t y = shape(in).elements();
  const std::int64_t moved = in[kX].elements() + in[kZ].elements() + y;
  // A power is a logarithm and an exponential, each a polynomial.
  const double flops = kind == BinaryKind::kPower ? 50 : 1;
  const double bytes = static_cast<double>(size_of(type)) * static_cast<double>(moved);
  return {flops * static_cast<double>(y), bytes};
}

Footprint Binary::footprint(const Shapes&) const { return {}; }

std::string Binary::describe() const { return std::string(name_of(kind)); }

std::optional<RowPart> Binary::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, shape(in).h, y);
}

void Binary::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(binary_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kZ].view<const float>(),
              y.view<float>());
}

}  // namespace op
}  // namespace mend
