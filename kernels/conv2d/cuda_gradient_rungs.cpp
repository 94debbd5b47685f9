// The host's side of the gradients' CUDA rungs: what they refuse, their modelled time, and from the
// operations to a launch.
#include <fmt/format.h>

#include <algorithm>

#include "engine/cuda/cuda_device.h"
#include "kernels/conv2d/cuda_weight_gradient.h"
#include "kernels/conv2d/gradient.h"
#include "kernels/cuda/machine.h"
#include "kernels/cuda/refuses.h"
#include "kernels/narrow.h"

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

/// Two loads an FMA, in sectors of 32 bytes where a group has one channel and neighbours its taps.
double conv2d_weight_gradient_cuda_naive_seconds(const Op& op, const Shapes& in) {
  const double bytes = in[Op::kX].c / op.groups < 8 ? 32 : 4;
  constexpr double kTwoLaunches = 4e-6;
  return op.cost(in).flops / 2 * (bytes + 4) / NominalGpu::kCachedBytesPerSecond + kTwoLaunches;
}

namespace {

std::string refuses_case(const Op& op) {
  if (op.groups != 1) return "needs one group";
  if (op.dilation != 1) return "needs dilation 1";
  if (!weight_gradient_tf32_knows(parameters_of(op))) {
    return fmt::format("knows 1x1 and 3x3 of stride 1, 2x2 and 3x3 of stride 2, not {}x{} of {}",
                       op.kernel_h, op.kernel_w, op.stride);
  }
  return refuses_before_ampere();
}

}  // namespace

std::string conv2d_weight_gradient_cuda_tf32_refuses(const Op& op, const Shapes& in) {
  const std::string type = takes_f32_alone(op, in);
  return type.empty() ? refuses_case(op) : type;
}

std::string conv2d_weight_gradient_cuda_bf16_refuses(const Op& op, const Shapes&) {
  if (op.type == DType::kBF16) return refuses_case(op);
  return fmt::format("reads images of bf16, not {}", name_of(op.type));
}

/// The products of an mma's 16 outputs and 8 channels, whether they are wanted or not, at a third of
/// what f16 reaches: half the peak, and fewer of them for a number read. With few taps an mma waits for the
/// loads of its fragments.
double conv2d_weight_gradient_cuda_tf32_seconds(const Op& op, const Shapes& in) {
  const int K = in[Op::kDy].c, C = in[Op::kX].c;
  const double waste = (K + 15) / 16 * 16.0 / K * ((C + 7) / 8 * 8.0 / C);
  constexpr double kTiles = 3, kMmaCycles = 1.7, kTwoLaunches = 4e-6;
  const double taps = op.kernel_h * op.kernel_w;
  const double loads = std::max(1.0, (4 * kTiles + 2 * taps) / (kMmaCycles * kTiles * taps));
  return std::max(op.cost(in).flops * waste * loads / (NominalGpu::kTensorFlopsPerSecond / 3),
                  op.cost(in).bytes / NominalGpu::kBytesPerSecond) +
         kTwoLaunches;
}

std::string conv2d_weight_gradient_cuda_depthwise_refuses(const Op& op, const Shapes& in) {
  if (op.type != DType::kF32) return takes_f32_alone(op, in);
  if (in[Op::kX].c != op.groups || in[Op::kDy].c != op.groups) {
    return "needs one input and one output channel in each group";
  }
  if (op.stride != 1 || op.dilation != 1) return "needs stride and dilation 1";
  if (op.kernel_h != op.kernel_w || (op.kernel_h != 3 && op.kernel_h != 5)) {
    return fmt::format("knows 3x3 and 5x5, not {}x{}", op.kernel_h, op.kernel_w);
  }
  return refuses_before_ampere();
}

/// x and dy once, and a tenth more where strips meet.
double conv2d_weight_gradient_cuda_depthwise_seconds(const Op& op, const Shapes& in) {
  constexpr double kTwoLaunches = 4e-6;
  return 1.1 * op.cost(in).bytes / NominalGpu::kBytesPerSecond + kTwoLaunches;
}

std::string conv2d_weight_gradient_cuda_tf32_gemm_refuses(const Op& op, const Shapes& in) {
  if (op.type != DType::kF32) return takes_f32_alone(op, in);
  if (op.groups != 1) return "needs one group";
  return refuses_before_ampere();
}

double conv2d_weight_gradient_cuda_tf32_gemm_seconds(const Op& op, const Shapes& in) {
  const GemmProblem problem =
      weight_gradient_tf32_gemm_problem(parameters_of(op), in[Op::kX], in[Op::kDy]);
  return std::max(gemm_plan(problem).seconds, op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

void conv2d_weight_gradient_cuda_naive(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_weight_gradient_naive, op, inputs, y);
}
void conv2d_weight_gradient_cuda_tf32(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_weight_gradient_tf32, op, inputs, y);
}
void conv2d_weight_gradient_cuda_bf16(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_weight_gradient_bf16, op, inputs, y);
}
void conv2d_weight_gradient_cuda_tf32_gemm(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_weight_gradient_tf32_gemm, op, inputs, y);
}
void conv2d_weight_gradient_cuda_depthwise(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_weight_gradient_depthwise, op, inputs, y);
}

void turn_conv2d_weight_on_gpu(const op::TurnConv2dWeight& op, const Tensor& weight,
                               const Tensor& y) {
  const CudaDevice& device = cuda_device(y.device());
  device.make_current();
  launch_turn_conv2d_weight(weight, y, op.turn, device.stream());
}

}  // namespace mend
