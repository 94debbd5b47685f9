// The host's side of conv2d_pair/cuda_mma: what it refuses, its modelled time, and from op::Conv2dPair to a launch.
#include <fmt/format.h>

#include <algorithm>

#include "engine/cuda/cuda_device.h"
#include "kernels/conv2d/cuda.h"
#include "kernels/conv2d/variant.h"
#include "kernels/conv2d_pair/conv2d_pair.h"
#include "kernels/conv2d_pair/cuda.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/machine.h"
#include "kernels/inputs.h"

namespace mend {
namespace {

/// Why a layer cannot be one of the two.
std::string refuses_layer(const op::Conv2d& op, const Shapes& in) {
  if (op.padding_h != 1 || op.padding_w != 1 || op.padding_bottom >= 0 ||
      op.padding_mode != PaddingMode::kZeros) {
    return "needs padding by one pixel of zeros";
  }
  return conv2d_cuda_mma_refuses(op, in);
}

}  // namespace

std::string conv2d_pair_cuda_mma_refuses(const op::Conv2dPair& op, const Shapes& in) {
  const int C = in[op::Conv2dPair::kX].c;
  if (C % kConv2dCudaMmaDepth != 0 || C > 64 || op.first.outputs != C || op.second.outputs != C) {
    return fmt::format("needs 16, 32, 48 or 64 channels in all three images, not {}, {} and {}", C,
                       op.first.outputs, op.second.outputs);
  }
  if (op.first.scale != 1) return "needs a first convolution without a scale";
  const std::string refusal = refuses_layer(op.first, in);
  return refusal.empty() ? refuses_layer(op.second, in) : refusal;
}

double conv2d_pair_cuda_mma_seconds(const op::Conv2dPair& op, const Shapes& in) {
  const Shape& x = in[op::Conv2dPair::kX];
  const CudaConv2dPairTile tile{x.c};
  const double tiles =
      static_cast<double>(x.n) * divide_up(x.h, tile.rows()) * divide_up(x.w, tile.columns());
  // All that a tile multiplies: 16 pixels at a time, of both layers, the halo too.
  const int pixels = 16 * tile.warps_q() * (tile.first_rows() + tile.rows());
  const double flops = tiles * pixels * 2 * 9 * x.c * x.c;
  return CudaMmaRate::kWaveSeconds + std::max(flops / CudaMmaRate::kFlopsPerSecond,
                                              op.cost(in).bytes / NominalGpu::kBytesPerSecond);
}

Shape conv2d_pair_cuda_mma_packed_shape(const Shape& weight) {
  return {1, weight.c / kConv2dCudaMmaDepth, weight.h * weight.w, weight.n * kConv2dCudaMmaDepth};
}

void conv2d_pair_cuda_mma_pack(const Tensor& weight, const Tensor& packed) {
  const CudaDevice& device = cuda_device(packed.device());
  device.make_current();
  launch_conv2d_mma_pack({weight, packed, device.stream()});
}

void conv2d_pair_cuda_mma(const op::Conv2dPair& op, Inputs inputs, const Tensor& y) {
  using Pair = op::Conv2dPair;
  const auto in = [&](std::size_t i) -> const Tensor& { return input_at(inputs, i); };
  const CudaDevice& device = cuda_device(y.device());
  device.make_current();
  launch_conv2d_pair_mma(
      {{op.first.activation, in(Pair::kWeight1), in(Pair::kBias1), in(Pair::kSlope1)},
       {op.second.activation, in(Pair::kWeight2), in(Pair::kBias2), in(Pair::kSlope2)},
       op.second.scale,
       in(Pair::kX),
       in(Pair::kResidual),
       y,
       device.stream()});
}

}  // namespace mend
