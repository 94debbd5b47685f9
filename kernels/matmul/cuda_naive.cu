// A matrix product, one number of y a thread: the formula as it stands.
//
// What limits it: two loads for one FMA. Neighbouring threads have neighbouring columns, so a warp reads one
// number of a, and 128 bytes of b unless b is given transposed; every number is fetched again for each row or
// column that it serves. Long sums are added in f32 for kRun numbers, and the runs in f64.
#include "engine/cuda/check.h"
#include "kernels/cuda/element.cuh"
#include "kernels/matmul/cuda.h"

namespace mend {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 64;

__global__ void __launch_bounds__(kThreads)
    naive(bool transpose_a, bool transpose_b, int K, View<const float> a, View<const float> b,
          View<float> y) {
  std::int64_t output = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (output >= std::int64_t{y.shape.n} * y.shape.h * y.shape.w * y.shape.c) return;
  const int j = static_cast<int>(output % y.shape.c);
  output /= y.shape.c;
  const int i = static_cast<int>(output % y.shape.w);
  output /= y.shape.w;
  const int h = static_cast<int>(output % y.shape.h), n = static_cast<int>(output / y.shape.h);

  const float* from_a = pixel_of(a, a.shape.n == 1 ? 0 : n, a.shape.h == 1 ? 0 : h, 0);
  const float* from_b = pixel_of(b, b.shape.n == 1 ? 0 : n, b.shape.h == 1 ? 0 : h, 0);
  const std::int64_t step_a = transpose_a ? a.w_stride : 1, step_b = transpose_b ? 1 : b.w_stride;
  from_a += transpose_a ? i : i * a.w_stride;
  from_b += transpose_b ? j * b.w_stride : j;
  double sum = 0;
  for (int begin = 0; begin < K; begin += kRun) {
    float run = 0;
    const int end = min(begin + kRun, K);
#pragma unroll 8
    for (int k = begin; k < end; ++k) run = fmaf(from_a[k * step_a], from_b[k * step_b], run);
    sum += run;
  }
  pixel_of(y, n, h, i)[j] = static_cast<float>(sum);
}

}  // namespace

void launch_matmul_naive(const CudaMatmulCall& call) {
  const std::int64_t blocks = (call.y.shape.elements() + kThreads - 1) / kThreads;
  naive<<<static_cast<unsigned>(blocks), kThreads, 0, call.stream>>>(
      call.transpose_a, call.transpose_b, call.inner, call.a, call.b, call.y);
  cuda_check(cudaGetLastError(), "matmul/cuda_naive");
}

}  // namespace mend
