// Convolution of 8-bit integers as one matrix product on tensor cores (kernels/cuda/gemm.cuh), with whole sums.
//
//   x[c] = scale[c] · (q[c] − zero[c]),   scale[c] · weight[k,c] ≈ step[k] · v[k,c],   v of 16 bits
//   z[k] = bias[k] + step[k] · (Σ v[k,c] · q[c] − Σ v[k,c] · zero[c])
//
// The second sum does not depend on the pixel; a tap that falls on padding reads a pixel of zero points. Weights of 8
// bits would be twice as fast, but the scales of x, one for each channel, make them differ by orders of magnitude, and
// what a small one carries would be lost. So there are two products, as many as f16 does in the same time, from half of
// its bytes.
//
// Next ideas: 3x3 from patches in shared memory, as cuda_stream.cuh has them: here each pixel of x comes nine times
// from L2.
#include "kernels/conv2d/cuda_gemm_epilogue.cuh"
#include "kernels/quantize/cuda_code.cuh"
#include "kernels/quantized_conv2d/cuda.h"

namespace mend {
namespace {

constexpr const char* kName = "quantized_conv2d/cuda_int8";

template <class T, class Rounding>
struct Int8Epilogue : gemm::ConvolutionEpilogue<T, float, Rounding> {
  using OfFloats = gemm::ConvolutionEpilogue<T, float, Rounding>;
  const float* steps;
  const int* zero_sums;

  template <class Tile>
  __device__ void begin(const gemm::Share& share,
                        int (&sum)[Tile::kRows][Tile::kColumns][4]) const {
    gemm::start_sums<Tile, OfFloats::kRun>(share, sum, [](int) { return 0; });
  }

  template <class Tile>
  __device__ void finish(const gemm::Share& share, const int (&sum)[Tile::kRows][Tile::kColumns][4],
                         float* own) const {
    float z[Tile::kRows][Tile::kColumns][4];
#pragma unroll
    for (int j = 0; j < Tile::kColumns; ++j) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int k = share.n + gemm::sum_column<OfFloats::kRun>(j) + e;
        const float step = this->of(steps, k), bias = this->of(this->bias, k);
        const int zero_sum = k < this->columns ? zero_sums[k] : 0;
#pragma unroll
        for (int i = 0; i < Tile::kRows; ++i) {
#pragma unroll
          for (int below = 0; below < 4; below += 2) {
            const int whole = sum[i][j][e + below] - zero_sum;
            z[i][j][e + below] = fmaf(static_cast<float>(whole), step, bias);
          }
        }
      }
    }
    OfFloats::template finish<Tile>(share, z, own);
  }
};

template <class T, class Rounding>
void launch(const CudaQuantizedConv2dCall& call, const View<T>& y, const Rounding& rounding) {
  const CudaConv2dParameters& op = call.parameters;
  const CudaInt8Weight weight{y.shape.c, op.kernel_h * op.kernel_w, call.x.shape.c};
  gemm::PixelRows<std::int8_t> a = rows_of(call.x, y.shape, op, op.padding_mode);
  a.outside = call.packed + weight.zero_points_at();
  gemm::MatrixRows<std::int8_t> b{};
  b.data = call.packed;
  b.rows = weight.rows();
  b.columns = b.row_stride = 2 * weight.depth();
  b.granule = 16;
  Int8Epilogue<T, Rounding> epilogue{};
  epilogue.rounding = rounding;
  epilogue.set(op, call.bias.data, call.slope.data);
  epilogue.write_to(y, call.residual, a);
  epilogue.steps = reinterpret_cast<const float*>(call.packed + weight.steps_at());
  epilogue.zero_sums = reinterpret_cast<const int*>(call.packed + weight.zero_sums_at());
  const GemmProblem problem = quantized_conv2d_problem(weight, y.shape);
  gemm::launch<true, true, false, true>(
      kName, a, b, epilogue,
      {a.rows, y.shape.c, 1, problem.chunks, weight.width() / 16, weight.taps},
      gemm_plan(problem, most_shared_bytes(kName)), call.stream);
}

}  // namespace

void launch_quantized_conv2d_int8(const CudaQuantizedConv2dCall& call) {
  if (call.y_f32) return launch(call, call.y_f32, gemm::RoundedTo<float>{});
  const float* const scale = call.code_y.data;
  launch(call, call.y_i8, RoundedToCode{scale, scale + call.code_y.w_stride, call.y_i8.shape.c});
}

}  // namespace mend
