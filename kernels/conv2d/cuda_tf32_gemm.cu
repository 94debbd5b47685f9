// Convolution as one matrix product on tensor cores, in TF32: y [pixels, K] = x [pixels, C] · weightᵀ [C, K].
//
// That is what a 1x1 convolution, every linear layer of a transformer, is. With more taps the depth of the product
// is [R,S,C], and the rows of a are gathered: for each tap the pixels that it sees. A 2x2 kernel of stride 2, the
// downsampling of NAFNet and DRUNet, so reads each number of x once for each block of outputs.
//
// What limits it: with up to some 100 channels memory, x read and y written once each; so the pipeline of loads
// (kernels/cuda/gemm_tf32.cuh) runs through from tile to tile, and tiles of the same pixels follow each other, whose
// x then comes from L2. With more channels the tensor cores. 3x3 kernels of stride 1 read each pixel of x nine
// times from L2 here, cuda_tf32 once.
#include "kernels/conv2d/cuda.h"
#include "kernels/conv2d/cuda_pixel_rows.cuh"
#include "kernels/conv2d/cuda_tf32_gemm_epilogue.cuh"
#include "kernels/cuda/gemm_tf32.cuh"

namespace mend {
namespace gemm_tf32 {
namespace {

template <class T>
PixelPlaces<T> places_of(const View<T>& view) {
  return {view.data, view.n_stride, view.h_stride, static_cast<int>(view.w_stride), is_flat(view)};
}

/// weight [K,R,S,C] -> packed [K,R,S,C rounded up to 4], rounded to TF32; zeros behind C.
__global__ void pack(View<const float> weight, int width, std::int64_t count, float* packed) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  const std::int64_t at = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const int R = weight.shape.h, S = weight.shape.w;
  const int c = static_cast<int>(at % width);
  const std::int64_t tap = at / width;
  const int s = static_cast<int>(tap % S), r = static_cast<int>(tap / S % R);
  const int k = static_cast<int>(tap / S / R);
  packed[at] = c < weight.shape.c ? rounded_to_tf32(pixel_of(weight, k, r, s)[c]) : 0;
#endif
}

}  // namespace
}  // namespace gemm_tf32

GemmProblem conv2d_tf32_gemm_problem(const CudaConv2dParameters& op, const Shape& x,
                                     const Shape& y) {
  return {std::int64_t{y.n} * y.h * y.w, y.c,
          op.kernel_h * op.kernel_w * divide_up(x.c, kGemmDepth)};
}

void launch_conv2d_tf32_gemm(const CudaConv2dCall& call) {
  using namespace gemm_tf32;
  constexpr const char* kName = "conv2d/cuda_tf32_gemm";
  const CudaConv2dParameters& op = call.parameters;
  const View<const float> x = call.x.view<const float>();
  const View<float> y = call.y.view<float>();
  const int taps = op.kernel_h * op.kernel_w, width = divide_up(x.shape.c, 4) * 4;

  const PixelRows a = rows_of(x, y.shape, op, op.padding_mode);
  MatrixRows b{};
  b.data = call.weight.view<const float>().data;
  b.rows = y.shape.c;
  b.columns = b.tap_stride = width;
  b.row_stride = taps * width;
  b.packs = true;

  ConvolutionEpilogue epilogue{};
  epilogue.activation = op.activation;
  epilogue.scale = op.scale;
  epilogue.shared_slope = op.shared_slope;
  epilogue.bias = call.bias.view<const float>().data;
  epilogue.slope = call.slope.view<const float>().data;
  epilogue.y = places_of(y);
  epilogue.residual = places_of(call.residual.view<const float>());
  epilogue.width = a.width;
  epilogue.height = a.height;
  epilogue.rows = a.rows;
  epilogue.pairs = pairs(y) && pairs(call.residual.view<const float>()) && y.shape.c % 2 == 0;
  epilogue.columns = y.shape.c;

  const GemmProblem problem = conv2d_tf32_gemm_problem(op, x.shape, y.shape);
  launch<true, true, false, true>(kName, a, b, epilogue,
                                  {a.rows, y.shape.c, 1, problem.chunks, problem.chunks / taps},
                                  gemm_tf32_plan(problem, most_shared_bytes(kName)), call.stream);
}

void launch_conv2d_tf32_gemm_pack(const CudaConv2dPacking& packing) {
  const std::int64_t count = packing.packed.shape().elements();
  constexpr int kPackThreads = 256;
  gemm_tf32::pack<<<static_cast<unsigned>((count + kPackThreads - 1) / kPackThreads), kPackThreads,
                    0, packing.stream>>>(packing.weight.view<const float>(),
                                         packing.packed.shape().c, count,
                                         packing.packed.view<float>().data);
  cuda_check(cudaGetLastError(), "conv2d/cuda_tf32_gemm: packing");
}

}  // namespace mend
