// Transposed convolution with a kernel as large as its stride, on tensor cores, of f32 in TF32 and of f16 and bf16:
// every output sees one pixel of x, so it is a matrix product, [pixels of x, C] · [C, R·S·K], of
// kernels/cuda/gemm.cuh, whose rows are dealt out to R x S pixels of y as they leave the registers.
//
// Column tap·K + k is output k of the tap: neighbours are neighbours in y, so that sectors are whole where K is a
// multiple of 8 (16 in 16 bits). x is read once for each tile of columns, from L2.
#include "kernels/conv2d/cuda_gemm_epilogue.cuh"
#include "kernels/conv2d/cuda_pixel_rows.cuh"
#include "kernels/conv_transpose2d/cuda.h"
#include "kernels/cuda/gemm.cuh"
#include "kernels/narrow_type.h"

namespace mend {
namespace gemm {
namespace {

/// Of the rung, for errors.
template <class T>
constexpr const char* kName = sizeof(T) == 4 ? "conv_transpose2d/cuda_tf32_gemm"
                                             : "conv_transpose2d/cuda_f16_gemm";

template <class T>
struct TransposedEpilogue {
  static constexpr int kRun = sizeof(T) == 4 ? 2 : 4;
  Activation activation;
  bool shared_slope;
  const float *bias, *slope;
  View<T> y;
  FastDivider width, height;  ///< of x
  FastDivider outputs, stride;
  int rows, columns;
  bool runs;  ///< pixels of y start at multiples of a Run's bytes, and have whole ones

  __device__ float bias_of(int column) const {
    return bias != nullptr && column < columns ? bias[outputs(column).remainder] : 0;
  }
  template <class Tile>
  __device__ void begin(const Share& share, float (&sum)[Tile::kRows][Tile::kColumns][4]) const {
    start_sums<Tile, kRun>(share, sum, [&](int column) { return bias_of(column); });
  }

  template <class Tile>
  __device__ void finish(const Share& share, float (&sum)[Tile::kRows][Tile::kColumns][4],
                         float* own) const {
    if (!is_a_slope(activation.kind)) activate_sums<Tile>(activation, sum, own);
#pragma unroll
    for (int j = 0; j < Tile::kColumns; j += kRun / 2) {
      const int column = share.n + sum_column<kRun>(j);
      if (runs) {
        store<kRun, Tile>(share, sum, j, 0, column);
      } else {
#pragma unroll
        for (int e = 0; e < kRun; ++e) store<1, Tile>(share, sum, j, e, column + e);
      }
    }
  }

 private:
  __device__ float finished(float z, int k) const {
    if (z >= 0 || !is_a_slope(activation.kind) || activation.kind == ActivationKind::kNone) {
      return z;
    }
    if (activation.kind == ActivationKind::kRelu) return 0;
    return z * (activation.kind == ActivationKind::kPrelu ? slope[shared_slope ? 0 : k]
                                                          : activation.parameter);
  }
  /// kCount neighbours, from the first-th of run j on, of all rows.
  template <int kCount, class Tile>
  __device__ void store(const Share& share, const float (&sum)[Tile::kRows][Tile::kColumns][4],
                        int j, int first, int column) const {
    if (column >= columns) return;
    const auto [tap, k] = outputs(column);
    const auto [r, s] = stride(tap);
    const int by = static_cast<int>(stride.divisor);
#pragma unroll
    for (int i = 0; i < 2 * Tile::kRows; ++i) {
      const int m = share.m + i * 8;
      if (m >= rows) continue;
      const auto [line, w] = width(m);
      const auto [n, h] = height(line);
      Run<T, kCount> run;
#pragma unroll
      for (int e = 0; e < kCount; ++e) {
        const float z = sum[i / 2][j + (first + e) / 2][i % 2 * 2 + (first + e) % 2];
        run.values[e] = from_float<T>(finished(z, k + e));
      }
      store_run(pixel_of(y, n, h * by + r, w * by + s) + k, run, true, kCount);
    }
  }
};

/// weight [K,R,S,C] -> packed, as cuda.h says.
template <class T>
__global__ void pack_transposed(View<const float> weight, int width, std::int64_t count,
                                T* packed) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  const std::int64_t at = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const int c = static_cast<int>(at % width), row = static_cast<int>(at / width);
  const int K = weight.shape.n, S = weight.shape.w;
  const int column = dealt_column<TransposedEpilogue<T>::kRun>(row);
  const int k = column % K, tap = column / K;
  const bool is_there = tap < weight.shape.h * S && c < weight.shape.c;
  packed[at] = packed_number<T>(is_there ? pixel_of(weight, k, tap / S, tap % S)[c] : 0);
#endif
}

template <class T>
void launch_type(const CudaConvTranspose2dCall& call) {
  const View<const T> x = call.x.view<const T>();
  const View<T> y = call.y.view<T>();
  const int columns = call.stride * call.stride * y.shape.c;
  struct {
    int kernel_h = 1, kernel_w = 1, stride = 1, padding_h = 0, padding_w = 0, dilation = 1;
  } constexpr kPixel;  // a row is a pixel of x
  const PixelRows<T> a = rows_of(x, x.shape, kPixel, PaddingMode::kZeros);
  MatrixRows<T> b{};
  b.data = call.weight.view<const T>().data;
  b.rows = call.weight.shape().n;
  b.columns = b.tap_stride = b.row_stride = call.weight.shape().c;
  b.granule = 16;

  constexpr int kRun = TransposedEpilogue<T>::kRun;
  const TransposedEpilogue<T> epilogue{call.activation,
                                       call.slope.shape().c == 1,
                                       call.bias.view<const float>().data,
                                       call.slope.view<const float>().data,
                                       y,
                                       a.width,
                                       a.height,
                                       FastDivider(y.shape.c),
                                       FastDivider(call.stride),
                                       a.rows,
                                       columns,
                                       runs<kRun>(y) && y.shape.c % kRun == 0};
  const GemmProblem problem = conv_transpose2d_gemm_problem(x.shape, columns, sizeof(T));
  launch<true, true, false, true>(kName<T>, a, b, epilogue,
                                  {a.rows, columns, 1, problem.chunks, problem.chunks},
                                  gemm_plan(problem, most_shared_bytes(kName<T>)), call.stream);
}

template <class T>
void launch_pack_type(const Tensor& weight, const Tensor& packed, cudaStream_t stream) {
  const std::int64_t count = packed.shape().elements();
  constexpr int kPackThreads = 256;
  pack_transposed<T>
      <<<static_cast<unsigned>((count + kPackThreads - 1) / kPackThreads), kPackThreads, 0,
         stream>>>(weight.view<const float>(), packed.shape().c, count, packed.view<T>().data);
  cuda_check(cudaGetLastError(), kName<T>);
}

}  // namespace
}  // namespace gemm

void launch_conv_transpose2d_gemm(const CudaConvTranspose2dCall& call) {
  with_type(call.x.dtype(), [&]<class T>() { gemm::launch_type<T>(call); });
}

void launch_conv_transpose2d_gemm_pack(const Tensor& weight, const Tensor& packed,
                                       cudaStream_t stream) {
  with_type(packed.dtype(), [&]<class T>() { gemm::launch_pack_type<T>(weight, packed, stream); });
}

}  // namespace mend
