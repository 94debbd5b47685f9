// The host's side of the CUDA rungs: what they refuse, their modelled time, and from op::ConvTranspose2d to
// a launch.
#include <fmt/format.h>

#include <algorithm>

#include "engine/cuda/cuda_device.h"
#include "kernels/conv_transpose2d/cuda.h"
#include "kernels/conv_transpose2d/variant.h"
#include "kernels/cuda/machine.h"
#include "kernels/cuda/refuses.h"
#include "kernels/inputs.h"
#include "kernels/narrow.h"

namespace mend {
namespace {

using Op = op::ConvTranspose2d;

void launch(void (*kernel)(const CudaConvTranspose2dCall& call), const Op& op, Inputs inputs,
            const Tensor& y) {
  const auto input = [&](std::size_t i) -> const Tensor& { return input_at(inputs, i); };
  const CudaDevice& device = cuda_device(y.device());
  device.make_current();
  kernel({op.stride, op.padding, op.groups, op.activation, input(Op::kX), input(Op::kWeight),
          input(Op::kBias), input(Op::kSlope), y, device.stream()});
}

std::string refuses_taps_that_meet(const Op& op, const Shapes& in) {
  if (op.groups != 1) return "needs one group";
  if (op.padding != 0 || op.output_padding != 0) return "needs no padding";
  const Shape& weight = in[Op::kWeight];
  if (weight.h == op.stride && weight.w == op.stride) return {};
  return fmt::format("needs a kernel as large as its stride, not {}x{} of {}", weight.h, weight.w,
                     op.stride);
}

}  // namespace

double conv_transpose2d_cuda_naive_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).flops / 2 * (4 + 4) / NominalGpu::kCachedBytesPerSecond;  // two loads an FMA
}

std::string conv_transpose2d_cuda_tiled_refuses(const Op& op, const Shapes& in) {
  const std::string why = takes_f32_alone(op, in);
  return why.empty() ? refuses_taps_that_meet(op, in) : why;
}

std::string conv_transpose2d_cuda_gemm_refuses(const Op& op, const Shapes& in) {
  const std::string why = refuses_taps_that_meet(op, in);
  return why.empty() ? refuses_before_ampere() : why;
}

Shape conv_transpose2d_cuda_gemm_packed_shape(const Op& op, const Shape& weight) {
  const int unit = 16 / static_cast<int>(size_of(op.type)),
            columns = weight.n * weight.h * weight.w;
  return {(columns + 15) / 16 * 16, 1, 1, (weight.c + unit - 1) / unit * unit};
}

double conv_transpose2d_cuda_gemm_seconds(const Op& op, const Shapes& in) {
  const Shape& weight = in[Op::kWeight];
  const GemmProblem problem =
      conv_transpose2d_gemm_problem(in[Op::kX], weight.n * weight.h * weight.w, size_of(op.type));
  return std::max(gemm_plan(problem).seconds, op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

void conv_transpose2d_cuda_gemm_pack(const Op&, const Tensor& weight, const Tensor& packed) {
  const CudaDevice& device = cuda_device(packed.device());
  device.make_current();
  launch_conv_transpose2d_gemm_pack(weight, packed, device.stream());
}
void conv_transpose2d_cuda_gemm(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv_transpose2d_gemm, op, inputs, y);
}

double conv_transpose2d_cuda_tiled_seconds(const Op& op, const Shapes& in) {
  return std::max(op.cost(in).flops / (0.4 * NominalGpu::kFlopsPerSecond),
                  op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

void conv_transpose2d_cuda_naive(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv_transpose2d_naive, op, inputs, y);
}
void conv_transpose2d_cuda_tiled(const Op& op, Inputs inputs, const Tensor& y) {
  launch(launch_conv_transpose2d_tiled, op, inputs, y);
}

}  // namespace mend
