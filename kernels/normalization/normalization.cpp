#include "kernels/normalization/normalization.h"

#include <cassert>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/inputs.h"
#include "kernels/norm_linear/norm_linear.h"
#include "kernels/normalization/variants.h"

namespace mend {
namespace {

/// All of these are bound by memory.
template <class Op>
double memory_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
template <class Op>
constexpr Variant<Op, PixelNormKernel> pixel_rung(std::string_view name, bool fast) {
  return {name, DeviceKind::kCpu, never_refuses, fast ? memory_seconds<Op> : slowest<Op>,
          fast ? 1e-6 : 0, fast ? pixel_norm_simd : pixel_norm_reference};
}
#ifdef MEND_HAS_CUDA
template <class Op>
constexpr Variant<Op, PixelNormKernel> pixel_cuda_rung(std::string_view name) {
  return {name, DeviceKind::kCuda, never_refuses, gpu_memory_seconds<Op>, 2e-6, pixel_norm_cuda};
}
#endif
constexpr Variant<op::LayerNorm, LayerNormKernel> kLayerNormLadder[] = {
    {"layer_norm/reference", DeviceKind::kCpu, takes_f32_alone, slowest,        0,    pixel_norm_reference},
    {"layer_norm/simd",      DeviceKind::kCpu, takes_f32_alone, memory_seconds, 1e-6, pixel_norm_simd},
#ifdef MEND_HAS_CUDA
    {"layer_norm/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6, {pixel_norm_cuda, layer_norm_cuda_narrow}},
#endif
};
constexpr Variant<op::PixelNorm, PixelNormKernel> kPixelNormLadder[] = {
    pixel_rung<op::PixelNorm>("pixel_norm/reference", false),
    pixel_rung<op::PixelNorm>("pixel_norm/simd", true),
#ifdef MEND_HAS_CUDA
    pixel_cuda_rung<op::PixelNorm>("pixel_norm/cuda"),
#endif
};
constexpr Variant<op::L2Normalize, PixelNormKernel> kL2NormalizeLadder[] = {
    pixel_rung<op::L2Normalize>("l2_normalize/reference", false),
    pixel_rung<op::L2Normalize>("l2_normalize/simd", true),
#ifdef MEND_HAS_CUDA
    pixel_cuda_rung<op::L2Normalize>("l2_normalize/cuda"),
#endif
};
constexpr Variant<op::Softmax, SoftmaxKernel> kSoftmaxLadder[] = {
    // name                  device            can it?        time            error  entry
    {"softmax/reference",    DeviceKind::kCpu, never_refuses, slowest,        0,     softmax_reference},
    {"softmax/simd",         DeviceKind::kCpu, never_refuses, memory_seconds, 1e-6,  softmax_simd},
#ifdef MEND_HAS_CUDA
    {"softmax/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6, softmax_cuda},
#endif
};
constexpr Variant<op::GroupNorm, GroupNormKernel> kGroupNormLadder[] = {
    {"group_norm/reference", DeviceKind::kCpu, takes_f32_alone, slowest,      0,     group_norm_reference},
    {"group_norm/simd",      DeviceKind::kCpu, takes_f32_alone, memory_seconds, 1e-6,  group_norm_simd},
#ifdef MEND_HAS_CUDA
    {"group_norm/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6, {group_norm_cuda, group_norm_cuda_narrow}},
#endif
};
constexpr Variant<op::Demodulate, DemodulateKernel> kDemodulateLadder[] = {
    {"demodulate/reference", DeviceKind::kCpu, never_refuses, slowest,        0,     demodulate_reference},
    {"demodulate/simd",      DeviceKind::kCpu, never_refuses, memory_seconds, 1e-6,  demodulate_simd},
#ifdef MEND_HAS_CUDA
    {"demodulate/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6, demodulate_cuda},
#endif
};
// clang-format on

void check_vector(std::string_view op, std::string_view name, const Shape& vector, const Shape& x) {
  if (vector.empty() || vector == vector_shape(x.c)) return;
  throw ShapeError(fmt::format("{}: {} is {}, but x {} has {} channels", op, name,
                               to_string(vector), to_string(x), x.c));
}

/// type: of x and y.
Cost cost_per_element(const Shapes& in, double flops, DType type = DType::kF32) {
  const double elements = static_cast<double>(in[0].elements());
  const double vectors = static_cast<double>(slot(in, 1).elements() + slot(in, 2).elements());
  return {flops * elements,
          2 * elements * static_cast<double>(size_of(type)) + vectors * sizeof(float)};
}

}  // namespace

std::span<const Variant<op::LayerNorm, LayerNormKernel>> layer_norm_ladder() {
  return kLayerNormLadder;
}
std::span<const Variant<op::PixelNorm, PixelNormKernel>> pixel_norm_ladder() {
  return kPixelNormLadder;
}
std::span<const Variant<op::L2Normalize, PixelNormKernel>> l2_normalize_ladder() {
  return kL2NormalizeLadder;
}
std::span<const Variant<op::Softmax, SoftmaxKernel>> softmax_ladder() { return kSoftmaxLadder; }
std::span<const Variant<op::GroupNorm, GroupNormKernel>> group_norm_ladder() {
  return kGroupNormLadder;
}
std::span<const Variant<op::Demodulate, DemodulateKernel>> demodulate_ladder() {
  return kDemodulateLadder;
}

namespace op {

Shape LayerNorm::shape(const Shapes& in) const {
  check_vector(kName, "gamma", slot(in, kGamma), in[kX]);
  check_vector(kName, "beta", slot(in, kBeta), in[kX]);
  return in[kX];
}

Cost LayerNorm::cost(const Shapes& in) const { return cost_per_element(in, 7, type); }

Footprint LayerNorm::footprint(const Shapes&) const { return {}; }

std::string LayerNorm::describe() const {
  return fmt::format("eps {}{}", eps, subtract_mean ? "" : " bias-free");
}

std::optional<RowPart> LayerNorm::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[kX].h, y);
}

void LayerNorm::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(layer_norm_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(measure(), eps, view_of<float>(inputs, kX), view_of<float>(inputs, kGamma),
              view_of<float>(inputs, kBeta), y.view<float>());
}

std::optional<Narrowed> LayerNorm::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 1, to);
}

std::optional<Fusion> LayerNorm::absorb(const AnyOp& next, int position, const Shapes&,
                                        DeviceKind device) const {
  const auto* linear = next.as<Conv2d>();
  // On a GPU `pair` decides, by the types and whether it is faster.
  if (linear == nullptr || device != DeviceKind::kCpu) return std::nullopt;
  return fuse_norm_into(*this, *linear, position);
}

std::optional<Fusion> LayerNorm::pair(const AnyOp& next, int position, const Shapes& in,
                                      const Shapes& next_in) const {
  const auto* linear = next.as<Conv2d>();
  if (linear == nullptr) return std::nullopt;
  return pair_norm_with(*this, *linear, position, in, next_in);
}

Shape PixelNorm::shape(const Shapes& in) const { return in[0]; }

Cost PixelNorm::cost(const Shapes& in) const { return cost_per_element(in, 3); }

Footprint PixelNorm::footprint(const Shapes&) const { return {}; }

std::string PixelNorm::describe() const { return fmt::format("eps {}", eps); }

void PixelNorm::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(pixel_norm_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(PixelMeasure::kRootMeanSquare, eps, view_of<float>(inputs, 0), {}, {},
              y.view<float>());
}

Shape L2Normalize::shape(const Shapes& in) const { return in[0]; }

Cost L2Normalize::cost(const Shapes& in) const { return cost_per_element(in, 3); }

Footprint L2Normalize::footprint(const Shapes&) const { return {}; }

std::string L2Normalize::describe() const { return fmt::format("eps {}", eps); }

void L2Normalize::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(l2_normalize_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(PixelMeasure::kLength, eps, view_of<float>(inputs, 0), {}, {}, y.view<float>());
}

Shape Softmax::shape(const Shapes& in) const { return in[0]; }

Cost Softmax::cost(const Shapes& in) const { return cost_per_element(in, 20); }

Footprint Softmax::footprint(const Shapes&) const { return {}; }

void Softmax::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(softmax_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(view_of<float>(inputs, 0), y.view<float>());
}

Shape GroupNorm::shape(const Shapes& in) const {
  const Shape& x = in[kX];
  if (groups < 1 || x.c % groups != 0) {
    throw ShapeError(fmt::format("group_norm: {} groups do not divide the {} channels of x {}",
                                 groups, x.c, to_string(x)));
  }
  check_vector(kName, "gamma", slot(in, kGamma), x);
  check_vector(kName, "beta", slot(in, kBeta), x);
  return x;
}

Cost GroupNorm::cost(const Shapes& in) const { return cost_per_element(in, 7, type); }

Footprint GroupNorm::footprint(const Shapes&) const { return {.global = true}; }

std::string GroupNorm::describe() const { return fmt::format("groups {} eps {}", groups, eps); }

std::int64_t GroupNorm::scratch_bytes(const Shapes& in) const {
  return group_norm_simd_scratch(*this, in[kX]);
}

void GroupNorm::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(group_norm_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(*this, view_of<float>(inputs, kX), view_of<float>(inputs, kGamma),
              view_of<float>(inputs, kBeta), y.view<float>(), scratch);
}

std::optional<Narrowed> GroupNorm::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 1, to);
}

Shape Demodulate::shape(const Shapes& in) const {
  assert(in.size() == 2);
  const Shape &weight = in[kWeight], &style = in[kStyle];
  if (style.h != 1 || style.w != 1 || style.c != weight.c) {
    throw ShapeError(fmt::format("demodulate: weight {} takes a style [N,1,1,{}], but it is {}",
                                 to_string(weight), weight.c, to_string(style)));
  }
  return {style.n, 1, 1, weight.n};
}

Cost Demodulate::cost(const Shapes& in) const {
  const Shape &weight = in[kWeight], &style = in[kStyle];
  const double elements = static_cast<double>(weight.elements());
  return {3 * elements * style.n,
          sizeof(float) * (elements + static_cast<double>(style.elements()) +
                           static_cast<double>(style.n) * weight.n)};
}

Footprint Demodulate::footprint(const Shapes&) const { return {}; }

std::string Demodulate::describe() const { return fmt::format("eps {}", eps); }

void Demodulate::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(demodulate_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, view_of<float>(inputs, kWeight), view_of<float>(inputs, kStyle),
              y.view<float>());
}

}  // namespace op
}  // namespace mend
