// The gradients of the normalizations over the channels of each pixel.
#include "kernels/normalization/gradient.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/elementwise/gradient.h"

namespace mend {
namespace {

template <class Op>
double memory_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::PixelNormGradient, PixelNormGradientKernel> kPixelNormLadder[] = {
    // name                           device            can it?        time            error  entry
    {"pixel_norm_gradient/reference", DeviceKind::kCpu, never_refuses, slowest,        0,     pixel_norm_gradient_reference},
    {"pixel_norm_gradient/simd",      DeviceKind::kCpu, never_refuses, memory_seconds, 1e-6,  pixel_norm_gradient_simd},
#ifdef MEND_HAS_CUDA
    {"pixel_norm_gradient/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 5e-6, pixel_norm_gradient_cuda},
#endif
};
constexpr Variant<op::SoftmaxGradient, SoftmaxGradientKernel> kSoftmaxLadder[] = {
    {"softmax_gradient/reference",    DeviceKind::kCpu, never_refuses, slowest,        0,     softmax_gradient_reference},
    {"softmax_gradient/simd",         DeviceKind::kCpu, never_refuses, memory_seconds, 5e-6,  softmax_gradient_simd},
#ifdef MEND_HAS_CUDA
    {"softmax_gradient/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 5e-6, softmax_gradient_cuda},
#endif
};
// clang-format on

Cost cost_of(const Shapes& in, double flops) {
  const double elements = static_cast<double>(in[0].elements());
  return {flops * elements, 3 * sizeof(float) * elements};
}

/// dL/dx of a norm with this measure.
Tensor input_gradient(PixelMeasure measure, float eps, const Backward& call, const Tensor& gamma) {
  const op::PixelNormGradient gradient{measure, eps};
  const Tensor& x = call.inputs[0];
  return gamma ? apply(gradient, {x, call.dy, gamma}) : apply(gradient, {x, call.dy});
}

}  // namespace

std::span<const Variant<op::PixelNormGradient, PixelNormGradientKernel>>
pixel_norm_gradient_ladder() {
  return kPixelNormLadder;
}
std::span<const Variant<op::SoftmaxGradient, SoftmaxGradientKernel>> softmax_gradient_ladder() {
  return kSoftmaxLadder;
}

void pixel_norm_gradient_reference(const op::PixelNormGradient& op, View<const float> x,
                                   View<const float> dy, View<const float> gamma, View<float> y) {
  const auto [N, H, W, C] = x.shape;
  const bool centred = op.measure == PixelMeasure::kDeviation;
  const bool deviation = centred || op.measure == PixelMeasure::kDeviationOnly;
  const bool length = op.measure == PixelMeasure::kLength;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w) {
        const auto g = [&](int c) { return dy(n, h, w, c) * double(gamma ? gamma.data[c] : 1); };
        double mean = 0, squares = 0, sum_g = 0, products = 0;
        for (int c = 0; c < C && deviation; ++c) mean += double(x(n, h, w, c)) / C;
        for (int c = 0; c < C; ++c) {
          const double distance = x(n, h, w, c) - mean;
          squares += distance * distance;
          sum_g += g(c);
          products += g(c) * (centred ? distance : double(x(n, h, w, c)));
        }
        const double d =
            length ? std::max(std::sqrt(squares), double(op.eps)) : std::sqrt(squares / C + op.eps);
        const bool too_short = length && std::sqrt(squares) < op.eps;
        const double share = too_short ? 0 : products / (length ? 1 : C) / d;
        for (int c = 0; c < C; ++c) {
          const double u = (x(n, h, w, c) - mean) / d;
          const double dx = (g(c) - (centred ? sum_g / C : 0) - u * share) / d;
          y(n, h, w, c) = static_cast<float>(dx);
        }
      }
}

void softmax_gradient_reference(View<const float> softmax, View<const float> dy, View<float> y) {
  const auto [N, H, W, C] = softmax.shape;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w) {
        double sum = 0;
        for (int c = 0; c < C; ++c) sum += double(softmax(n, h, w, c)) * dy(n, h, w, c);
        for (int c = 0; c < C; ++c) {
          y(n, h, w, c) = static_cast<float>(softmax(n, h, w, c) * (dy(n, h, w, c) - sum));
        }
      }
}

namespace op {

Tensors LayerNorm::backward(const Backward& call) const {
  const Tensor x = call.inputs[kX], gamma = call.input(kGamma);
  Tensors gradients(3);
  if (call.wants(kX)) {
    gradients[kX] = input_gradient(
        subtract_mean ? PixelMeasure::kDeviation : PixelMeasure::kDeviationOnly, eps, call, gamma);
  }
  if (call.wants(kGamma)) {
    gradients[kGamma] = sum_products_to(call.dy, apply(*this, {x}), gamma.shape());
  }
  if (call.wants(kBeta)) gradients[kBeta] = sum_to(call.dy, call.inputs[kBeta].shape());
  return gradients;
}

Saves LayerNorm::saves(const std::vector<bool>&) const {
  return {.inputs = 1u << kX | 1u << kGamma};
}

Tensors PixelNorm::backward(const Backward& call) const {
  return {input_gradient(PixelMeasure::kRootMeanSquare, eps, call, {})};
}

Saves PixelNorm::saves(const std::vector<bool>&) const { return {.inputs = 1}; }

Tensors L2Normalize::backward(const Backward& call) const {
  return {input_gradient(PixelMeasure::kLength, eps, call, {})};
}

Saves L2Normalize::saves(const std::vector<bool>&) const { return {.inputs = 1}; }

Tensors Softmax::backward(const Backward& call) const {
  return {apply(SoftmaxGradient{}, {call.y, call.dy})};
}

Saves Softmax::saves(const std::vector<bool>&) const { return {.y = true}; }

Shape PixelNormGradient::shape(const Shapes& in) const {
  assert(in[kX] == in[kDy]);
  [[maybe_unused]] const Shape gamma = in.size() > kGamma ? in[kGamma] : Shape{};
  assert(gamma.empty() || gamma == vector_shape(in[kX].c));
  return in[kX];
}

Cost PixelNormGradient::cost(const Shapes& in) const { return cost_of(in, 12); }

Footprint PixelNormGradient::footprint(const Shapes&) const { return {}; }

std::string PixelNormGradient::describe() const {
  constexpr std::string_view kNames[] = {"deviation", "deviation alone", "root mean square",
                                         "length"};
  return fmt::format("{} eps {}", kNames[static_cast<std::size_t>(measure)], eps);
}

void PixelNormGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung =
      choose(pixel_norm_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kDy].view<const float>(),
              inputs.size() > kGamma ? inputs[kGamma].view<const float>() : View<const float>{},
              y.view<float>());
}

std::optional<RowPart> PixelNormGradient::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[kX].h, y);
}

Shape SoftmaxGradient::shape(const Shapes& in) const {
  assert(in[kSoftmax] == in[kDy]);
  return in[kDy];
}

Cost SoftmaxGradient::cost(const Shapes& in) const { return cost_of(in, 4); }

Footprint SoftmaxGradient::footprint(const Shapes&) const { return {}; }

void SoftmaxGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(softmax_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(inputs[kSoftmax].view<const float>(), inputs[kDy].view<const float>(),
              y.view<float>());
}

std::optional<RowPart> SoftmaxGradient::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[kDy].h, y);
}

}  // namespace op
}  // namespace mend
