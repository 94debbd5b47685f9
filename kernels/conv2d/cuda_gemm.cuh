// Convolution as one matrix product on tensor cores: y [pixels, K] = x [pixels, C] · weightᵀ [C, K], of f32 numbers
// in TF32 (cuda_tf32_gemm.cu) or of f16 and bf16 ones (cuda_f16_gemm.cu).
//
// That is what a 1x1 convolution, every linear layer of a transformer, is. With more taps the depth of the product
// is [R,S,C], and the rows of a are gathered: for each tap the pixels that it sees. A 2x2 kernel of stride 2, the
// downsampling of NAFNet and DRUNet, so reads each number of x once for each block of outputs.
//
// What limits it: with up to some 100 channels memory, x read and y written once each; so the pipeline of loads
// (kernels/cuda/gemm.cuh) runs through from tile to tile, and tiles of the same pixels follow each other, whose
// x then comes from L2. With more channels the tensor cores. 3x3 kernels of stride 1 read each pixel of x nine
// times from L2 here, cuda_stream.cuh once.
#pragma once

#include "kernels/conv2d/cuda.h"
#include "kernels/conv2d/cuda_gemm_epilogue.cuh"
#include "kernels/conv2d/cuda_pixel_rows.cuh"
#include "kernels/cuda/gemm.cuh"

namespace mend {
namespace gemm {

/// weight [K,R,S,C] -> packed, as cuda.h says.
template <class T>
__global__ void pack(View<const float> weight, int width, std::int64_t count, T* packed) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  const std::int64_t at = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const int R = weight.shape.h, S = weight.shape.w;
  const int c = static_cast<int>(at % width);
  const std::int64_t tap = at / width;
  const int s = static_cast<int>(tap % S), r = static_cast<int>(tap / S % R);
  const int row = static_cast<int>(tap / S / R);
  const int k = dealt_column<ConvolutionEpilogue<T>::kRun>(row);
  const bool is_there = k < weight.shape.n && c < weight.shape.c;
  const float number = is_there ? pixel_of(weight, k, r, s)[c] : 0;
  packed[at] = packed_number<T>(number);
#endif
}

/// The packed weight as b.
template <class T>
MatrixRows<T> weight_of(const CudaConv2dCall& call) {
  const int taps = call.parameters.kernel_h * call.parameters.kernel_w;
  MatrixRows<T> b{};
  b.data = call.weight.view<const T>().data;
  b.rows = conv2d_gemm_rows(call.y.shape().c, sizeof(T));
  b.columns = b.tap_stride = conv2d_gemm_width(call.x.shape().c, sizeof(T));
  b.row_stride = taps * b.columns;
  b.granule = 16;
  return b;
}

template <class T>
ConvolutionEpilogue<T> epilogue_of(const CudaConv2dCall& call, const PixelRows<T>& a) {
  ConvolutionEpilogue<T> epilogue{};
  epilogue.set(call.parameters, call.bias.view<const float>().data,
               call.slope.view<const float>().data);
  epilogue.write_to(call.y.view<T>(), call.residual.view<const T>(), a);
  return epilogue;
}

template <class T>
void launch_convolution(const CudaConv2dCall& call, const char* name) {
  const CudaConv2dParameters& op = call.parameters;
  const Shape& y = call.y.shape();
  const PixelRows<T> a = rows_of(call.x.view<const T>(), y, op, op.padding_mode);
  const GemmProblem problem = conv2d_gemm_problem(op, call.x.shape(), y, sizeof(T));
  const int taps = op.kernel_h * op.kernel_w;
  launch<true, true, false, true>(name, a, weight_of<T>(call), epilogue_of(call, a),
                                  {a.rows, y.c, 1, problem.chunks, problem.chunks / taps},
                                  gemm_plan(problem, most_shared_bytes(name)), call.stream);
}

template <class T>
void launch_pack(const CudaConv2dPacking& packing, const char* name) {
  const std::int64_t count = packing.packed.shape().elements();
  constexpr int kPackThreads = 256;
  pack<T><<<static_cast<unsigned>((count + kPackThreads - 1) / kPackThreads), kPackThreads, 0,
            packing.stream>>>(packing.weight.view<const float>(), packing.packed.shape().c, count,
                              packing.packed.view<T>().data);
  cuda_check(cudaGetLastError(), name);
}

}  // namespace gemm
}  // namespace mend
