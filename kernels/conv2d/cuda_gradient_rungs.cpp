// The host's side of the gradients' CUDA rungs: what they refuse, their modelled time, and from the
// operations to a launch.
#include <fmt/format.h>

#include <algorithm>

#include "engine/cuda/cuda_device.h"
#include "kernels/conv2d/cuda_weight_gradient.h"
#include "kernels/conv2d/gradient.h"
#include "kernels/cuda/machine.h"

namespace mend {
namespace {

using Op = op::Conv2dWeightGradient;

CudaWeightGradientParameters parameters_of(const Op& op) {
  return {op.kernel_h, op.kernel_w, op.stride, op.padding_h, op.padding_w, op.dilation, op.groups};
}

void launch(void (*kernel)(const CudaWeightGradientCall& call), const Op& op, Inputs inputs,
            const Tensor& y) {
  const CudaDevice& device = cuda_device(y.device());
  device.make_current();
  kernel({parameters_of(op), inputs[Op::kX], inputs[Op::kDy], y, device.stream()});
}

}  // namespace

double conv2d_weight_gradient_cuda_naive_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).flops / 2 * (4 + 4) / NominalGpu::kCachedBytesPerSecond;  // two loads an FMA
}

std::string conv2d_weight_gradient_cuda_tf32_refuses(const Op& op, const Shapes&) {
  if (op.groups != 1) return "needs one group";
  if (op.dilation != 1) return "needs dilation 1";
  if (!weight_gradient_tf32_knows(parameters_of(op))) {
    return fmt::format("knows 1x1 and 3x3 of stride 1, 2x2 and 3x3 of stride 2, not {}x{} of {}",
                       op.kernel_h, op.kernel_w, op.stride);
  }
  for (const GpuInfo& gpu : survey_gpus().gpus) {
    if (gpu.compute_capability >= kAmpere) continue;
    return fmt::format("needs compute capability 8.0, cuda:{} ({}) has {}.{}", gpu.index, gpu.name,
                       gpu.compute_capability / 10, gpu.compute_capability % 10);
  }
  return {};
}

/// The products of an mma's 16 outputs and 8 channels, whether they are wanted or not, at a third of
/// what f16 reaches: half the peak, and fewer of them for a number read.
double conv2d_weight_gradient_cuda_tf32_seconds(const Op& op, const Shapes& in) {
  const int K = in[Op::kDy].c, C = in[Op::kX].c;
  const double waste = (K + 15) / 16 * 16.0 / K * ((C + 7) / 8 * 8.0 / C);
  return std::max(op.cost(in).flops * waste / (NominalGpu::kTensorFlopsPerSecond / 3),
                  op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

void conv2d_weight_gradient_cuda_naive(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_weight_gradient_naive, op, inputs, y);
}
void conv2d_weight_gradient_cuda_tf32(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_weight_gradient_tf32, op, inputs, y);
}

void turn_conv2d_weight_on_gpu(const op::TurnConv2dWeight& op, const Tensor& weight,
                               const Tensor& y) {
  const CudaDevice& device = cuda_device(y.device());
  device.make_current();
  launch_turn_conv2d_weight(weight, y, op.turn, device.stream());
}

}  // namespace mend
