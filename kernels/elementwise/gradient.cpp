// The gradients of op::Affine and op::Binary: the sum and product rules.
#include "kernels/elementwise/gradient.h"

#include <cassert>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/rows.h"

namespace mend {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class Op>
double memory_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::SumTo, SumToKernel> kSumToLadder[] = {
    // name                        device            can it?        time            error  entry
    {"sum_to/reference",           DeviceKind::kCpu, takes_f32_alone, slowest,      0,     sum_to_reference},
    {"sum_to/simd",                DeviceKind::kCpu, takes_f32_alone, memory_seconds, 5e-6, sum_to_simd},
#ifdef MEND_HAS_CUDA
    {"sum_to/cuda",                DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 5e-6, {sum_to_cuda, sum_to_cuda_narrow}},
#endif
};
constexpr Variant<op::AffineGradient, AffineGradientKernel> kAffineGradientLadder[] = {
    {"affine_gradient/reference",  DeviceKind::kCpu, never_refuses, slowest,        0,     affine_gradient_reference},
    {"affine_gradient/rows",       DeviceKind::kCpu, never_refuses, memory_seconds, 1e-6,  affine_gradient_rows},
#ifdef MEND_HAS_CUDA
    {"affine_gradient/cuda",       DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-6, affine_gradient_cuda},
#endif
};
constexpr Variant<op::ExtremumGradient, ExtremumGradientKernel> kExtremumGradientLadder[] = {
    {"extremum_gradient/rows",     DeviceKind::kCpu, never_refuses, memory_seconds, 0,      extremum_gradient_rows},
#ifdef MEND_HAS_CUDA
    {"extremum_gradient/cuda",     DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, extremum_gradient_cuda},
#endif
};
// clang-format on

Tensor multiply(const Tensor& x, const Tensor& z) {
  return apply(op::Binary{BinaryKind::kMultiply}, {x, z});
}
Tensor divide(const Tensor& x, const Tensor& z) {
  return apply(op::Binary{BinaryKind::kDivide}, {x, z});
}
Tensor power(const Tensor& x, const Tensor& z) {
  return apply(op::Binary{BinaryKind::kPower}, {x, z});
}
/// x for all that it stands for: times 1 where it has no extent.
Tensor broadcast(const Tensor& x, const Shape& to) {
  const Shape& from = x.shape();
  if (from == to) return x;
  const auto missing = [](int is, int wanted) { return is == wanted ? 1 : wanted; };
  const Shape ones{missing(from.n, to.n), missing(from.h, to.h), missing(from.w, to.w),
                   missing(from.c, to.c)};
  return multiply(constant_beside(x, Tensor::full(ones, 1)), x);
}
Tensor scaled(const Tensor& x, float scale) { return apply(op::Affine{.scale = scale}, {x}); }

double elements_bytes(const Shapes& in, const Shape& y) {
  std::int64_t elements = y.elements();
  for (const Shape& shape : in) elements += shape.elements();
  return sizeof(float) * static_cast<double>(elements);
}

/// dL/dx and dL/dz of x^z: z·x^(z − 1)·dy and y·ln(x)·dy. There is no logarithm among the operations,
/// and no network has an exponent that is trained.
Tensor power_gradient(const Backward& call) {
  const Tensor x = call.inputs[op::Binary::kX], z = call.inputs[op::Binary::kZ];
  if (call.wants(op::Binary::kZ)) {
    throw UsageError("gradient: binary power has none with respect to its exponent");
  }
  const Tensor less = apply(op::Affine{.offset = -1}, {z});
  return multiply(call.dy, multiply(z, power(x, less)));
}

}  // namespace

std::span<const Variant<op::SumTo, SumToKernel>> sum_to_ladder() { return kSumToLadder; }
std::span<const Variant<op::AffineGradient, AffineGradientKernel>> affine_gradient_ladder() {
  return kAffineGradientLadder;
}
std::span<const Variant<op::ExtremumGradient, ExtremumGradientKernel>> extremum_gradient_ladder() {
  return kExtremumGradientLadder;
}

void extremum_gradient_rows(const op::ExtremumGradient& op, View<const float> x,
                            View<const float> z, View<const float> dy, View<float> y) {
  const auto at = [](View<const float> v, int n, int h, int w, int c) {
    const Shape& s = v.shape;
    return v(s.n == 1 ? 0 : n, s.h == 1 ? 0 : h, s.w == 1 ? 0 : w, s.c == 1 ? 0 : c);
  };
  for_each_run(y.shape, [&](const Run& run) {
    for (int w = run.w; w < run.w + run.count; ++w)
      for (int c = 0; c < y.shape.c; ++c) {
        const float mine = at(x, run.n, run.h, w, c), other = at(z, run.n, run.h, w, c);
        const bool wins = op.maximum ? mine > other : mine < other;
        const float part = wins ? 1.0f : mine == other ? 0.5f : 0.0f;
        y(run.n, run.h, w, c) = part * dy(run.n, run.h, w, c);
      }
  });
}

Tensor constant_beside(const Tensor& x, const Tensor& constant) {
  return x.is_placeholder() ? constant : constant.on(x.device());
}

Tensor sum_to(const Tensor& dy, const Shape& to) {
  return dy.shape() == to ? dy : apply(op::SumTo{to}, {dy});
}

Tensor sum_products_to(const Tensor& x, const Tensor& z, const Shape& to) {
  return x.shape() == to ? multiply(x, z) : apply(op::SumTo{to}, {x, z});
}

namespace op {

Tensors Affine::backward(const Backward& call) const {
  if (low == -kInfinity && high == kInfinity) return {scaled(call.dy, scale)};
  return {apply(AffineGradient{scale, offset, low, high}, {call.inputs[kX], call.dy})};
}

Saves Affine::saves(const std::vector<bool>&) const {
  return {.inputs = low == -kInfinity && high == kInfinity ? 0u : 1u << kX};
}

Tensors Binary::backward(const Backward& call) const {
  const Tensor &x = call.inputs[kX], &z = call.inputs[kZ], &y = call.y, &dy = call.dy;
  const bool wants_x = call.wants(kX), wants_z = call.wants(kZ);
  // Products that are summed at once are never written.
  const auto times = [&](const Tensor& factor, const Shape& to) {
    const bool whole = factor.shape() == dy.shape();
    return whole ? sum_products_to(dy, factor, to) : sum_to(multiply(dy, factor), to);
  };
  Tensors gradients(2);
  switch (kind) {
    case BinaryKind::kAdd:
      if (wants_x) gradients[kX] = sum_to(dy, x.shape());
      if (wants_z) gradients[kZ] = sum_to(dy, z.shape());
      break;
    case BinaryKind::kSubtract:
      if (wants_x) gradients[kX] = sum_to(dy, x.shape());
      if (wants_z) gradients[kZ] = scaled(sum_to(dy, z.shape()), -1);
      break;
    case BinaryKind::kMultiply:
      if (wants_x) gradients[kX] = times(z, x.shape());
      if (wants_z) gradients[kZ] = times(x, z.shape());
      break;
    case BinaryKind::kDivide:  // dx = dy/z, dz = −dy·y/z
      if (wants_x) gradients[kX] = sum_to(divide(dy, z), x.shape());
      if (wants_z) gradients[kZ] = scaled(sum_products_to(divide(dy, z), y, z.shape()), -1);
      break;
    case BinaryKind::kMinimum:
    case BinaryKind::kMaximum: {
      const ExtremumGradient gradient{kind == BinaryKind::kMaximum};
      if (wants_x) gradients[kX] = sum_to(apply(gradient, {x, z, dy}), x.shape());
      if (wants_z) gradients[kZ] = sum_to(apply(gradient, {z, x, dy}), z.shape());
      break;
    }
    case BinaryKind::kPower:
      gradients[kX] = sum_to(power_gradient(call), x.shape());
      break;
  }
  return gradients;
}

Saves Binary::saves(const std::vector<bool>& wanted) const {
  switch (kind) {
    case BinaryKind::kAdd:
    case BinaryKind::kSubtract:
      return {};
    case BinaryKind::kMultiply:
      return {.inputs = (wanted[kX] ? 1u << kZ : 0u) | (wanted[kZ] ? 1u << kX : 0u)};
    case BinaryKind::kDivide:
      return {.inputs = 1u << kZ, .y = wanted[kZ]};
    case BinaryKind::kMinimum:
    case BinaryKind::kMaximum:
    case BinaryKind::kPower:
      break;
  }
  return {.inputs = 1u << kX | 1u << kZ};
}

Shape SumTo::shape(const Shapes& in) const {
  const Shape& x = in[kX];
  const auto fits = [](int from, int extent) { return extent == from || extent == 1; };
  const bool same = in.size() <= kZ || in[kZ].empty() || in[kZ] == x;
  if (same && fits(x.n, to.n) && fits(x.h, to.h) && fits(x.w, to.w) && fits(x.c, to.c)) return to;
  throw ShapeError(fmt::format("sum_to: {}{} cannot be summed to {}: extents must be equal or 1",
                               to_string(x), same ? "" : " and " + to_string(in[kZ]),
                               to_string(to)));
}

Cost SumTo::cost(const Shapes& in) const {
  const bool products = in.size() > kZ && !in[kZ].empty();
  return {(products ? 2.0 : 1.0) * static_cast<double>(in[kX].elements()), elements_bytes(in, to)};
}

Footprint SumTo::footprint(const Shapes&) const { return {.global = true}; }

std::string SumTo::describe() const {
  return fmt::format("{}{}", to_string(to), negative_part ? " negative part" : "");
}

std::int64_t SumTo::scratch_bytes(const Shapes& in) const {
  return sum_to_simd_scratch(*this, in[kX]);
}

void SumTo::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(sum_to_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  const bool products = inputs.size() > kZ && inputs[kZ].defined();
  rung.kernel(*this, inputs[kX].view<const float>(),
              products ? inputs[kZ].view<const float>() : View<const float>{}, y.view<float>(),
              scratch);
}

std::optional<Narrowed> SumTo::narrow(const Shapes& in, DType to_type) const {
  return narrow_inputs(*this, in.size(), to_type);
}

/// dx = dy·z and dz = dy·x, where dy stands for all that were summed.
Tensors SumTo::backward(const Backward& call) const {
  if (negative_part) throw UsageError("gradient: sum_to of a negative part has none");
  const Tensor x = call.inputs[kX], z = call.input(kZ);
  Tensors gradients(2);
  if (call.wants(kX)) gradients[kX] = z ? multiply(z, call.dy) : broadcast(call.dy, x.shape());
  if (call.wants(kZ)) gradients[kZ] = multiply(x, call.dy);
  return gradients;
}

Saves SumTo::saves(const std::vector<bool>& wanted) const {
  return {.inputs =
              (wanted[kX] ? 1u << kZ : 0u) | (wanted.size() > kZ && wanted[kZ] ? 1u << kX : 0u)};
}

Shape AffineGradient::shape(const Shapes& in) const {
  assert(in.size() == 2 && in[kX] == in[kDy]);
  return in[kX];
}

Cost AffineGradient::cost(const Shapes& in) const {
  return {4 * static_cast<double>(in[kX].elements()), elements_bytes(in, in[kX])};
}

Footprint AffineGradient::footprint(const Shapes&) const { return {}; }

std::string AffineGradient::describe() const {
  return fmt::format("{}*x + {} in [{},{}]", scale, offset, low, high);
}

void AffineGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(affine_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kDy].view<const float>(),
              y.view<float>());
}

Shape ExtremumGradient::shape(const Shapes& in) const {
  assert(in.size() == 3 && (Binary{BinaryKind::kMaximum}.shape({in[kX], in[kZ]}) == in[kDy]));
  return in[kDy];
}

Cost ExtremumGradient::cost(const Shapes& in) const {
  return {2 * static_cast<double>(in[kDy].elements()), elements_bytes(in, in[kDy])};
}

Footprint ExtremumGradient::footprint(const Shapes&) const { return {}; }

std::string ExtremumGradient::describe() const { return maximum ? "maximum" : "minimum"; }

void ExtremumGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung =
      choose(extremum_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kZ].view<const float>(),
              inputs[kDy].view<const float>(), y.view<float>());
}

}  // namespace op
}  // namespace mend
