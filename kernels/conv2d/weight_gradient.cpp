// op::Conv2dWeightGradient: its contract, its ladder and its truth.
#include <algorithm>

#include "kernels/conv2d/gradient.h"
#include "kernels/narrow.h"

namespace mend {
namespace {

std::string depthwise_refuses(const op::Conv2dWeightGradient& op, const Shapes& in) {
  if (op.type != DType::kF32) return takes_f32_alone(op, in);
  const bool one_each = in[op.kX].c == op.groups && in[op.kDy].c == op.groups;
  return one_each ? "" : "needs one input and one output channel in each group";
}

/// Lanes are input channels: those of the last vector that are none cost as much as the others.
double tiles_seconds(const op::Conv2dWeightGradient& op, const Shapes& in) {
  constexpr int kVector = 16;
  const Cost cost = op.cost(in);
  const int C = in[op.kX].c / op.groups;
  const double lanes = static_cast<double>((C + kVector - 1) / kVector * kVector) / C;
  return cost.flops * lanes / (0.7 * NominalMachine::kFlopsPerSecond) +
         cost.bytes / NominalMachine::kBytesPerSecond;
}

/// A load and an FMA for each product: x comes from L1.
double depthwise_seconds(const op::Conv2dWeightGradient& op, const Shapes& in) {
  const Cost cost = op.cost(in);
  return cost.flops / (0.3 * NominalMachine::kFlopsPerSecond) +
         cost.bytes / NominalMachine::kBytesPerSecond;
}

constexpr Conv2dWeightGradientKernel kReference{nullptr, conv2d_weight_gradient_reference};
constexpr Conv2dWeightGradientKernel kTiles{conv2d_weight_gradient_tiles_scratch,
                                            conv2d_weight_gradient_tiles};
constexpr Conv2dWeightGradientKernel kDepthwise{conv2d_weight_gradient_depthwise_scratch,
                                                conv2d_weight_gradient_depthwise};
#ifdef MEND_HAS_CUDA
constexpr Conv2dWeightGradientKernel kCudaNaive{nullptr, nullptr,
                                                conv2d_weight_gradient_cuda_naive};
constexpr Conv2dWeightGradientKernel kCudaTf32{nullptr, nullptr, conv2d_weight_gradient_cuda_tf32};
constexpr Conv2dWeightGradientKernel kCudaBf16{nullptr, nullptr, conv2d_weight_gradient_cuda_bf16};
constexpr Conv2dWeightGradientKernel kCudaTf32Gemm{nullptr, nullptr,
                                                   conv2d_weight_gradient_cuda_tf32_gemm};
constexpr Conv2dWeightGradientKernel kCudaDepthwise{nullptr, nullptr,
                                                    conv2d_weight_gradient_cuda_depthwise};
#endif

// clang-format off
constexpr Conv2dWeightGradientVariant kLadder[] = {
    // name                                   device             cannot do                                      modelled time                                  error kernel
    {"conv2d_weight_gradient/reference",      DeviceKind::kCpu,  takes_f32_alone,                               slowest,                                       0,    kReference},
    {"conv2d_weight_gradient/tiles",          DeviceKind::kCpu,  takes_f32_alone,                               tiles_seconds,                                 1e-5, kTiles},
    {"conv2d_weight_gradient/depthwise",      DeviceKind::kCpu,  depthwise_refuses,                             depthwise_seconds,                             1e-5, kDepthwise},
#ifdef MEND_HAS_CUDA
    {"conv2d_weight_gradient/cuda_naive",     DeviceKind::kCuda, takes_f32_alone,                               conv2d_weight_gradient_cuda_naive_seconds,     1e-5, kCudaNaive},
    {"conv2d_weight_gradient/cuda_depthwise", DeviceKind::kCuda, conv2d_weight_gradient_cuda_depthwise_refuses, conv2d_weight_gradient_cuda_depthwise_seconds, 1e-5, kCudaDepthwise},
    {"conv2d_weight_gradient/cuda_tf32",      DeviceKind::kCuda, conv2d_weight_gradient_cuda_tf32_refuses,      conv2d_weight_gradient_cuda_tf32_seconds,      1e-3, kCudaTf32},
    {"conv2d_weight_gradient/cuda_bf16",      DeviceKind::kCuda, conv2d_weight_gradient_cuda_bf16_refuses,      conv2d_weight_gradient_cuda_tf32_seconds,      1e-5, kCudaBf16},
    {"conv2d_weight_gradient/cuda_tf32_gemm", DeviceKind::kCuda, conv2d_weight_gradient_cuda_tf32_gemm_refuses, conv2d_weight_gradient_cuda_tf32_gemm_seconds, 1e-3, kCudaTf32Gemm},
#endif
};
// clang-format on

const Conv2dWeightGradientVariant& rung_of(const op::Conv2dWeightGradient& op, const Shapes& in,
                                           DeviceKind device) {
  if (op.variant != nullptr) return *op.variant;
  return choose(conv2d_weight_gradient_ladder(), op, in, device);
}

}  // namespace

std::span<const Conv2dWeightGradientVariant> conv2d_weight_gradient_ladder() { return kLadder; }

void conv2d_weight_gradient_reference(const Conv2dWeightGradientCall& call) {
  const auto& [op, x, dy, y, scratch] = call;
  const int C = y.shape.c, K = y.shape.n / op.groups;  // of one group
  for (int k = 0; k < y.shape.n; ++k)
    for (int r = 0; r < op.kernel_h; ++r)
      for (int s = 0; s < op.kernel_w; ++s)
        for (int c = 0; c < C; ++c) {
          double sum = 0;
          for (int n = 0; n < dy.shape.n; ++n)
            for (int p = 0; p < dy.shape.h; ++p)
              for (int q = 0; q < dy.shape.w; ++q) {
                const int h = p * op.stride + r * op.dilation - op.padding_h;
                const int w = q * op.stride + s * op.dilation - op.padding_w;
                if (h < 0 || h >= x.shape.h || w < 0 || w >= x.shape.w) continue;
                sum += double(dy(n, p, q, k)) * x(n, h, w, k / K * C + c);
              }
          y(k, r, s, c) = static_cast<float>(sum);
        }
}

namespace op {

Shape Conv2dWeightGradient::shape(const Shapes& in) const {
  const Shape &x = in[kX], &dy = in[kDy];
  const auto fits = [&](int extent, int padding, int kernel, int outputs) {
    // The last output must begin inside the padded image.
    return (outputs - 1) * stride + dilation * (kernel - 1) < extent + 2 * padding;
  };
  if (groups < 1 || x.c % groups != 0 || dy.c % groups != 0 || x.n != dy.n ||
      !fits(x.h, padding_h, kernel_h, dy.h) || !fits(x.w, padding_w, kernel_w, dy.w)) {
    throw ShapeError(
        fmt::format("conv2d_weight_gradient: x {} and dy {} do not belong to one convolution {}",
                    to_string(x), to_string(dy), describe()));
  }
  return {dy.c, kernel_h, kernel_w, x.c / groups};
}

Cost Conv2dWeightGradient::cost(const Shapes& in) const {
  const Shape y = shape(in);
  const double products =
      static_cast<double>(in[kDy].elements()) * kernel_h * kernel_w * (in[kX].c / groups);
  const auto images = static_cast<double>(in[kX].elements() + in[kDy].elements());
  return {2 * products, static_cast<double>(size_of(type)) * images +
                            sizeof(float) * static_cast<double>(y.elements())};
}

Footprint Conv2dWeightGradient::footprint(const Shapes&) const { return {.global = true}; }

std::string Conv2dWeightGradient::describe() const {
  return fmt::format("{}x{} stride {} padding {}x{} dilation {} groups {}", kernel_h, kernel_w,
                     stride, padding_h, padding_w, dilation, groups);
}

std::optional<Narrowed> Conv2dWeightGradient::narrow(const Shapes& in, DType to) const {
  const Narrowed narrowed = narrow_inputs(*this, 2, to);
  const auto& op = *narrowed.op.as<Conv2dWeightGradient>();
  for (const Conv2dWeightGradientVariant& rung : conv2d_weight_gradient_ladder()) {
    if (rung.device == DeviceKind::kCuda && rung.refuses(op, in).empty()) return narrowed;
  }
  return std::nullopt;
}

std::optional<Lowering> Conv2dWeightGradient::lower(const Shapes& in, DeviceKind device) const {
  Conv2dWeightGradient fixed = *this;
  fixed.variant = &rung_of(*this, in, device);
  return Lowering{fixed, {}};
}

std::int64_t Conv2dWeightGradient::scratch_bytes(const Shapes& in) const {
  if (type != DType::kF32) return 0;  // no rung of the CPU's, which alone need it
  const auto& rung = rung_of(*this, in, DeviceKind::kCpu);
  return rung.kernel.scratch_bytes == nullptr ? 0 : rung.kernel.scratch_bytes(*this, in);
}

void Conv2dWeightGradient::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& kernel = rung_of(*this, shapes_of(inputs), y.device().kind()).kernel;
  if (kernel.launch != nullptr) return kernel.launch(*this, inputs, y);
  kernel.run({*this, inputs[kX].view<const float>(), inputs[kDy].view<const float>(),
              y.view<float>(), scratch});
}

}  // namespace op
}  // namespace mend
