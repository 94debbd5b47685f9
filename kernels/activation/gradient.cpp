#include "kernels/activation/gradient.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/activation/cuda.h"
#include "kernels/cuda/memory_seconds.h"
#include "kernels/elementwise/gradient.h"

namespace mend {
namespace {

double gradient_seconds(const op::ActivationGradient& op, const Shapes& in) {
  const Cost cost = op.cost(in);
  return cost.bytes / NominalMachine::kBytesPerSecond +
         cost.flops / NominalMachine::kFlopsPerSecond;
}

// clang-format off
constexpr Variant<op::ActivationGradient, ActivationGradientKernel> kLadder[] = {
    // name                           device            can it?        time              error  entry
    {"activation_gradient/reference", DeviceKind::kCpu, takes_f32_alone, slowest,        0,     activation_gradient_reference},
    {"activation_gradient/simd",      DeviceKind::kCpu, takes_f32_alone, gradient_seconds, 2e-6, activation_gradient_simd},
#ifdef MEND_HAS_CUDA
    {"activation_gradient/cuda",     DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 3e-6, {activation_gradient_cuda, activation_gradient_cuda_narrow}},
#endif
};
// clang-format on

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double gelu_derivative(double x) {  // Φ(x) + x·φ(x)
  constexpr double kSqrtHalf = 0.70710678118654752440;
  constexpr double kDensityAt0 = 0.39894228040143267794;  // 1/√(2π)
  return std::erfc(-x * kSqrtHalf) / 2 + x * kDensityAt0 * std::exp(-x * x / 2);
}

double gelu_tanh_derivative(double x) {  // of x·sigmoid(2u)
  constexpr double kTwiceSqrtTwoOverPi = 1.59576912160573071176;
  const double s = sigmoid(kTwiceSqrtTwoOverPi * (x + 0.044715 * x * x * x));
  return s + x * s * (1 - s) * kTwiceSqrtTwoOverPi * (1 + 3 * 0.044715 * x * x);
}

double mish_derivative(double x) {  // t + x·t', t = tanh(softplus(x))
  const double t = std::tanh(std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))));
  return t + x * (1 - t * t) * sigmoid(x);
}

}  // namespace

std::span<const Variant<op::ActivationGradient, ActivationGradientKernel>>
activation_gradient_ladder() {
  return kLadder;
}

bool reads_result(const Activation& activation) {
  switch (activation.kind) {
    case ActivationKind::kRelu:
    case ActivationKind::kRelu6:
    case ActivationKind::kSigmoid:
    case ActivationKind::kTanh:
    case ActivationKind::kHardSigmoid:
      return true;
    case ActivationKind::kLeakyRelu:
    case ActivationKind::kElu:
      return activation.parameter >= 0;
    default:
      return false;
  }
}

double derivative(const Activation& activation, double seen, double slope) {
  const double x = seen, y = seen, a = activation.parameter;
  switch (activation.kind) {
    case ActivationKind::kNone:
      return 1;
    case ActivationKind::kRelu:
      return y > 0 ? 1 : 0;
    case ActivationKind::kRelu6:
      return y > 0 && y < 6 ? 1 : 0;
    case ActivationKind::kLeakyRelu:  // with a negative parameter of x, else of y: the same sign
      return seen > 0 ? 1 : a;
    case ActivationKind::kPrelu:
      return x > 0 ? 1 : slope;
    case ActivationKind::kElu:
      if (seen > 0) return 1;
      return a >= 0 ? y + a : a * std::exp(x);
    case ActivationKind::kGelu:
      return gelu_derivative(x);
    case ActivationKind::kGeluTanh:
      return gelu_tanh_derivative(x);
    case ActivationKind::kSilu:
      return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
    case ActivationKind::kSigmoid:
      return y * (1 - y);
    case ActivationKind::kTanh:
      return 1 - y * y;
    case ActivationKind::kSoftplus:
      return sigmoid(x);
    case ActivationKind::kMish:
      return mish_derivative(x);
    case ActivationKind::kHardSigmoid:
      return y > 0 && y < 1 ? 1.0 / 6 : 0;
    case ActivationKind::kHardSwish:
      return x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1;
  }
  return 1;
}

void activation_gradient_reference(const Activation& activation, View<const float> seen,
                                   View<const float> dy, View<const float> slope, View<float> y) {
  for (int n = 0; n < y.shape.n; ++n)
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w)
        for (int c = 0; c < y.shape.c; ++c) {
          const double a = slope ? slope.data[slope.shape.c == 1 ? 0 : c] : 0;
          y(n, h, w, c) =
              static_cast<float>(dy(n, h, w, c) * derivative(activation, seen(n, h, w, c), a));
        }
}

namespace op {

Tensors Activate::backward(const Backward& call) const {
  const Tensor x = call.inputs[kX], slope = call.input(kSlope);
  Tensors gradients(2);
  if (call.wants(kX)) {
    const Tensor& seen = reads_result(activation) ? call.y : x;
    gradients[kX] = activation.kind == ActivationKind::kPrelu
                        ? apply(ActivationGradient{activation}, {seen, call.dy, slope})
                        : apply(ActivationGradient{activation}, {seen, call.dy});
  }
  if (call.wants(kSlope)) {
    gradients[kSlope] =
        apply(SumTo{.to = slope.shape(), .negative_part = true}, {call.dy, x});  // Σ dy·min(x, 0)
  }
  return gradients;
}

Saves Activate::saves(const std::vector<bool>&) const {
  if (activation.kind == ActivationKind::kPrelu) return {.inputs = 1u << kX | 1u << kSlope};
  if (reads_result(activation)) return {.y = true};
  return {.inputs = 1u << kX};
}

Shape ActivationGradient::shape(const Shapes& in) const {
  assert(in[kSeen] == in[kDy]);
  check_slope(kName, activation, in.size() > kSlope ? in[kSlope] : Shape{}, in[kSeen].c);
  return in[kDy];
}

Cost ActivationGradient::cost(const Shapes& in) const {
  Cost cost = Activate{activation}.cost({in[kSeen]});
  cost.bytes = 3 * sizeof(float) * static_cast<double>(in[kSeen].elements());
  return cost;
}

Footprint ActivationGradient::footprint(const Shapes&) const { return {}; }

std::string ActivationGradient::describe() const { return mend::describe(activation); }

std::optional<RowPart> ActivationGradient::row_part(const Shapes& in, RowRange y) const {
  return same_rows(*this, in, in[kDy].h, y);
}

std::optional<Narrowed> ActivationGradient::narrow(const Shapes& in, DType to) const {
  return narrow_inputs(*this, in.size(), to);
}

void ActivationGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung =
      choose(activation_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  const View<const float> slope = view_of<float>(inputs, kSlope);
  rung.kernel(activation, inputs[kSeen].view<const float>(), inputs[kDy].view<const float>(), slope,
              y.view<float>());
}

}  // namespace op
}  // namespace mend
