// The host's side of the CUDA rungs: what they refuse, their modelled time, and from op::ConvTranspose2d to
// a launch.
#include <fmt/format.h>

#include <algorithm>

#include "engine/cuda/cuda_device.h"
#include "kernels/conv_transpose2d/cuda.h"
#include "kernels/conv_transpose2d/variant.h"
#include "kernels/cuda/machine.h"

namespace mend {
namespace {

using Op = op::ConvTranspose2d;

void launch(void (*kernel)(const CudaConvTranspose2dCall& call), const Op& op, Inputs inputs,
            const Tensor& y) {
  const auto input = [&](std::size_t i) -> const Tensor& {
    static const Tensor kAbsent;
    return i < inputs.size() ? inputs[i] : kAbsent;
  };
  const CudaDevice& device = cuda_device(y.device());
  device.make_current();
  kernel({op.stride, op.padding, op.groups, op.activation, input(Op::kX), input(Op::kWeight),
          input(Op::kBias), input(Op::kSlope), y, device.stream()});
}

}  // namespace

double conv_transpose2d_cuda_naive_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).flops / 2 * (4 + 4) / NominalGpu::kCachedBytesPerSecond;  // two loads an FMA
}

std::string conv_transpose2d_cuda_tiled_refuses(const Op& op, const Shapes& in) {
  if (op.groups != 1) return "needs one group";
  if (op.padding != 0 || op.output_padding != 0) return "needs no padding";
  const Shape& weight = in[Op::kWeight];
  if (weight.h == op.stride && weight.w == op.stride) return {};
  return fmt::format("needs a kernel as large as its stride, not {}x{} of {}", weight.h, weight.w,
                     op.stride);
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
