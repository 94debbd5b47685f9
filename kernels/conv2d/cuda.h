// What the CUDA rungs of conv2d share: one call, and their entry points. op::Conv2d says what the
// letters mean. Device code includes this; op::Conv2d itself stays on the host (cuda_rungs.cpp).
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/activation/kind.h"
#include "kernels/conv2d/padding_mode.h"
#include "kernels/cuda/gemm_plan.h"

namespace mend {

/// op::Conv2d's numbers, as a kernel takes them.
struct CudaConv2dParameters {
  int kernel_h, kernel_w, stride, padding_h, padding_w, dilation, groups;
  PaddingMode padding_mode;
  Activation activation;
  float scale;
  bool shared_slope;  ///< one slope for all channels
};

/// One launch. All tensors lie on the GPU; absent ones are undefined. x, residual and y have one
/// type, bias and slope are f32.
struct CudaConv2dCall {
  CudaConv2dParameters parameters;
  const Tensor &x,
      &weight;  ///< weight: as the rung's pack left it, [K,R,S,C/groups] in f32 if it has none
  const Tensor &bias, &slope, &residual;
  const Tensor& y;
  cudaStream_t stream;
  int multiprocessors;
};

/// weight [K,R,S,C] in f32 -> packed.
struct CudaConv2dPacking {
  const Tensor &weight, &packed;
  cudaStream_t stream;
};

/// One output a thread; every case, f32, f16 and bf16.
void launch_conv2d_naive(const CudaConv2dCall& call);

/// packed: [R,S,C,K rounded up to 64] in f32, zeros behind K.
void launch_conv2d_tiled_pack(const CudaConv2dPacking& packing);
/// Bytes of shared memory of one block.
std::size_t conv2d_cuda_tiled_shared_bytes(const CudaConv2dParameters& parameters);
void launch_conv2d_tiled(const CudaConv2dCall& call);

/// Winograd's F(4x4,3x3): positions of a tile, outputs of a block, channels at a time.
constexpr int kConv2dCudaWinograd4Positions = 36;
constexpr int kConv2dCudaWinograd4Block = 32, kConv2dCudaWinograd4Chunk = 8;
/// packed: U [K/32,C/8·8,36,32] in f32, zeros behind K and C; of 32 outputs number i is
/// 16·(i / 16) + 8·(i % 4 / 2) + 2·(i % 16 / 4) + i % 2.
void launch_conv2d_winograd4_pack(const CudaConv2dPacking& packing);
void launch_conv2d_winograd4(const CudaConv2dCall& call);

/// Outputs that one block of cuda_mma computes for K of them.
constexpr int conv2d_cuda_mma_block(int K) { return K <= 16 ? 16 : 64; }
constexpr int kConv2dCudaMmaDepth = 16;  ///< channels that one mma sums up
/// What an H200 measures of cuda_mma (docs/gpu.md), for models of kernels like it: a wave of blocks waits for its
/// patches, and the products come behind.
struct CudaMmaRate {
  static constexpr double kWaveSeconds = 15e-6, kFlopsPerSecond = 230e12;
};
/// packed [K/block,C/16,9,block·16]: the 8x8 matrices of f16 or bf16 that ldmatrix reads, in the order in which
/// they are read: [K/block][C/16][S][R][block/8][2][8][8], the last four being output / 8, channel / 8 % 2, output % 8
/// and channel % 8; zeros behind K and C.
void launch_conv2d_mma_pack(const CudaConv2dPacking& packing);
void launch_conv2d_mma(const CudaConv2dCall& call);

/// packed: the 8x4 matrices of TF32 that ldmatrix reads: [C/8][K/8][S][R][2][8][4], the last three being
/// channel / 4 % 2, output % 8 and channel % 4; zeros behind K and C.
void launch_conv2d_tf32_pack(const CudaConv2dPacking& packing);
void launch_conv2d_tf32(const CudaConv2dCall& call);

/// packed: the 8x8 matrices of f16 or bf16 that ldmatrix reads: [C/16][K/8][S][R][2][8][8], the last three
/// being channel / 8 % 2, column and channel % 8; above 8 outputs their groups come in pairs, whose
/// columns cuda_stream.cuh deals out; zeros behind K and C.
void launch_conv2d_f16_pack(const CudaConv2dPacking& packing);
void launch_conv2d_f16(const CudaConv2dCall& call);

/// The convolution as one matrix product of numbers of so many bytes; every case with one group.
inline GemmProblem conv2d_gemm_problem(const CudaConv2dParameters& op, const Shape& x,
                                       const Shape& y, std::size_t number_bytes) {
  const int depth = gemm_depth(number_bytes);
  return {std::int64_t{y.n} * y.h * y.w, y.c,
          op.kernel_h * op.kernel_w * ((x.c + depth - 1) / depth)};
}
/// Channels and outputs of its packed weight: whole units of 16 bytes, and in 16 bits whole pairs of mma.
constexpr int conv2d_gemm_width(int C, std::size_t number_bytes) {
  const int unit = 16 / static_cast<int>(number_bytes);
  return (C + unit - 1) / unit * unit;
}
constexpr int conv2d_gemm_rows(int K, std::size_t number_bytes) {
  return number_bytes == 4 ? K : (K + 15) / 16 * 16;
}
/// packed: [K,R,S,C rounded up to 4], rounded to TF32, zeros behind C.
void launch_conv2d_tf32_gemm_pack(const CudaConv2dPacking& packing);
void launch_conv2d_tf32_gemm(const CudaConv2dCall& call);
/// packed: [K rounded up to 16,R,S,C rounded up to 8] in f16 or bf16, zeros behind K and C; of 16 outputs, row r is
/// output 4·(r % 8 / 2) + 2·(r / 8) + r % 2.
void launch_conv2d_f16_gemm_pack(const CudaConv2dPacking& packing);
void launch_conv2d_f16_gemm(const CudaConv2dCall& call);

/// Kernels of 3x3, 5x5 and 7x7 of stride and dilation 1, one output for each channel.
/// packed: [R,S,C rounded up to 4] in the type of x, zeros behind C.
void launch_conv2d_depthwise_pack(const CudaConv2dPacking& packing);
void launch_conv2d_depthwise(const CudaConv2dCall& call);

}  // namespace mend
