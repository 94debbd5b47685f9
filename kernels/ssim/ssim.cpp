#include "kernels/ssim/ssim.h"

#include <fmt/format.h>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/ssim/cuda.h"
#include "kernels/ssim/rungs.h"

namespace mend {
namespace {

/// Five moments of each window, rows and columns, and about 30 operations with them.
constexpr double kWindowFlops = 2 * 5 * 2 * kSsimTaps + 30;

template <class Op>
double memory_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

#ifdef MEND_HAS_CUDA
using CudaRung = void (*)(const SsimTaps&, View<const float>, View<const float>, View<float>);

/// On a GPU, which has no use for the scratch.
template <CudaRung rung>
void on_gpu(const SsimTaps& taps, View<const float> x, View<const float> target, View<float> y,
            Scratch) {
  rung(taps, x, target, y);
}
#endif

// clang-format off
constexpr Variant<op::SsimLoss, SsimKernel> kLadder[] = {
    // name                        device             can it?        time                error  entry
    {"ssim_loss/planes",           DeviceKind::kCpu,  never_refuses, memory_seconds,     0,     ssim_loss_planes},
#ifdef MEND_HAS_CUDA
    {"ssim_loss/cuda",             DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-6,  on_gpu<ssim_loss_cuda>},
#endif
};
constexpr Variant<op::SsimLossGradient, SsimKernel> kGradientLadder[] = {
    {"ssim_loss_gradient/planes",  DeviceKind::kCpu,  never_refuses, memory_seconds,     0,     ssim_loss_gradient_planes},
#ifdef MEND_HAS_CUDA
    {"ssim_loss_gradient/cuda",    DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-6,  on_gpu<ssim_loss_gradient_cuda>},
#endif
};
// clang-format on

void check_call(const Shape& x, const Shape& target) {
  if (x != target || x.empty()) {
    throw ShapeError(fmt::format("ssim_loss: the prediction is {}, but the target {}", to_string(x),
                                 to_string(target)));
  }
  if (x.h < kSsimTaps || x.w < kSsimTaps) {
    throw ShapeError(
        fmt::format("ssim_loss: no window of {0}x{0} fits into {1}", kSsimTaps, to_string(x)));
  }
}

Cost cost_of(const Shape& x, std::int64_t written, double flops) {
  const auto elements = static_cast<double>(x.elements());
  return {flops * elements, sizeof(float) * (2 * elements + static_cast<double>(written))};
}

template <class Op>
void run(std::span<const Variant<Op, SsimKernel>> ladder, const Op& op, Inputs inputs,
         const Tensor& y, Scratch scratch) {
  const auto& rung = choose(ladder, op, shapes_of(inputs), y.device().kind());
  rung.kernel(op.taps, inputs[Op::kX].template view<const float>(),
              inputs[Op::kTarget].template view<const float>(), y.view<float>(), scratch);
}

}  // namespace

std::span<const Variant<op::SsimLoss, SsimKernel>> ssim_loss_ladder() { return kLadder; }
std::span<const Variant<op::SsimLossGradient, SsimKernel>> ssim_loss_gradient_ladder() {
  return kGradientLadder;
}

namespace op {

Shape SsimLoss::shape(const Shapes& in) const {
  check_call(in[kX], in[kTarget]);
  return vector_shape(1);
}
Cost SsimLoss::cost(const Shapes& in) const { return cost_of(in[kX], 1, kWindowFlops); }
Footprint SsimLoss::footprint(const Shapes&) const { return {.global = true}; }
std::int64_t SsimLoss::scratch_bytes(const Shapes& in) const { return ssim_loss_scratch(in[kX]); }
void SsimLoss::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  run(ssim_loss_ladder(), *this, inputs, y, scratch);
}
Tensors SsimLoss::backward(const Backward& call) const {
  if (!call.wants(kX)) return {Tensor(), Tensor()};
  const Tensor slope = apply(SsimLossGradient{taps}, {call.inputs[kX], call.inputs[kTarget]});
  return {apply(Binary{BinaryKind::kMultiply}, {slope, call.dy}), Tensor()};
}
Saves SsimLoss::saves(const std::vector<bool>&) const { return {.inputs = 0b11}; }

Shape SsimLossGradient::shape(const Shapes& in) const {
  check_call(in[kX], in[kTarget]);
  return in[kX];
}
Cost SsimLossGradient::cost(const Shapes& in) const {
  return cost_of(in[kX], in[kX].elements(), 2 * kWindowFlops);
}
Footprint SsimLossGradient::footprint(const Shapes&) const { return {.radius = kSsimTaps - 1}; }
std::int64_t SsimLossGradient::scratch_bytes(const Shapes& in) const {
  return ssim_loss_scratch(in[kX]);
}
void SsimLossGradient::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  run(ssim_loss_gradient_ladder(), *this, inputs, y, scratch);
}

}  // namespace op
}  // namespace mend
