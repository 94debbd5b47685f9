// One launch of the CUDA rung of conv2d_pair. op::Conv2dPair says what the letters mean. Device code includes
// this; op::Conv2dPair itself stays on the host (cuda_rungs.cpp).
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/activation/kind.h"

namespace mend {

/// One of the two convolutions; absent tensors are undefined.
struct CudaConv2dPairLayer {
  Activation activation;
  const Tensor& weight;        ///< [1,C/16,9,16·C], packed by launch_conv2d_mma_pack, of x's type
  const Tensor &bias, &slope;  ///< f32
};

/// All tensors lie on the GPU; x, residual and y are all f16 or all bf16, with C = M = K channels.
struct CudaConv2dPairCall {
  CudaConv2dPairLayer first, second;
  float scale;  ///< of the second
  const Tensor &x, &residual, &y;
  cudaStream_t stream;
};

/// What a block computes at a time, for C channels: a warp has rows of 16 neighbouring pixels, in two halves above
/// each other. Of y two rows and two columns less than of the first layer, which is the second one's halo.
struct CudaConv2dPairTile {
  static constexpr int kWarpRows = 8;  ///< of the first layer's pixels; of y one less
  static constexpr int kSlots = 4;     ///< stages of weights in the ring
  int channels;

  constexpr int warps_q() const { return channels <= 32 ? 2 : 1; }  ///< side by side
  constexpr int warps_k() const { return 2 / warps_q(); }           ///< that share the outputs
  constexpr int first_rows() const { return 2 * kWarpRows; }
  constexpr int rows() const { return first_rows() - 2; }
  constexpr int columns() const { return 16 * warps_q() - 2; }
  constexpr int stage_bytes() const { return 3 * channels * 16 * 2; }
};

void launch_conv2d_pair_mma(const CudaConv2dPairCall& call);

}  // namespace mend
