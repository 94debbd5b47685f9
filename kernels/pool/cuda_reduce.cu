// Large windows, such as the whole image: dealt out in slices of pixels, so that they fill the GPU, and
// summed in one order. A thread sums up to kRun numbers in f32, all else is double.
#include "engine/cuda/check.h"
#include "kernels/pool/cuda.h"
#include "kernels/pool/cuda_window.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 32;

/// Neighbouring threads have `lanes` (a power of 2) neighbouring channels, the others other pixels.
template <class Reduce, class T>
__global__ void __launch_bounds__(kThreads)
    reduce_slices(View<const T> x, int P, int Q, int slices, int lanes, double* partial) {
  __shared__ double sums[kThreads];
  const double nothing = Reduce::kNothing;
  unsigned task = blockIdx.x;
  const int slice = static_cast<int>(task % slices);
  task /= slices;
  const int window = static_cast<int>(task % (P * Q)), n = static_cast<int>(task / (P * Q));
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const int member = static_cast<int>(threadIdx.x) / lanes, members = kThreads / lanes;
  const int c = static_cast<int>(blockIdx.y) * lanes + lane;
  const PoolSpan rows = AdaptiveWindows{}(window / Q, P, x.shape.h);
  const PoolSpan columns = AdaptiveWindows{}(window % Q, Q, x.shape.w);
  const int width = columns.last - columns.first;
  const std::int64_t pixels = std::int64_t{rows.last - rows.first} * width;
  const std::int64_t end = pixels * (slice + 1) / slices;

  double sum = nothing;
  if (c < x.shape.c) {
    float run = Reduce::kNothing;
    int count = 0;
    for (std::int64_t i = pixels * slice / slices + member; i < end; i += members) {
      const int h = static_cast<int>(static_cast<unsigned>(i) / static_cast<unsigned>(width));
      const int w = static_cast<int>(i) - h * width;
      run = Reduce::with(run, as_float(pixel_of(x, n, rows.first + h, columns.first + w)[c]));
      if (++count % kRun == 0) {
        sum = Reduce::with(sum, static_cast<double>(run));
        run = Reduce::kNothing;
      }
    }
    sum = Reduce::with(sum, static_cast<double>(run));
  }
  sums[threadIdx.x] = sum;
  for (int half = members / 2; half > 0; half /= 2) {
    __syncthreads();
    if (member < half) {
      sums[threadIdx.x] = Reduce::with(sums[threadIdx.x], sums[threadIdx.x + half * lanes]);
    }
  }
  if (member == 0 && c < x.shape.c) {
    partial[((std::int64_t{n} * P * Q + window) * slices + slice) * x.shape.c + c] =
        sums[threadIdx.x];
  }
}

/// x: the shape of what was reduced.
template <class Reduce, class T>
__global__ void __launch_bounds__(kThreads)
    reduce_partial(const double* partial, int slices, Shape x, View<T> y) {
  const std::int64_t output = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int P = y.shape.h, Q = y.shape.w, C = y.shape.c;
  if (output >= std::int64_t{y.shape.n} * P * Q * C) return;
  const std::int64_t pixel = output / C;
  const int c = static_cast<int>(output % C), q = static_cast<int>(pixel % Q);
  const int p = static_cast<int>(pixel / Q % P), n = static_cast<int>(pixel / Q / P);
  double sum = Reduce::kNothing;
  for (int s = 0; s < slices; ++s) sum = Reduce::with(sum, partial[(pixel * slices + s) * C + c]);
  if constexpr (std::is_same_v<Reduce, Sum>) {
    const PoolSpan rows = AdaptiveWindows{}(p, P, x.h);
    const PoolSpan columns = AdaptiveWindows{}(q, Q, x.w);
    sum /= static_cast<double>(rows.last - rows.first) * (columns.last - columns.first);
  }
  pixel_of(y, n, p, q)[c] = from_float<T>(static_cast<float>(sum));
}

template <class Reduce, class T>
void launch(const View<const T>& x, double* partial, int slices, const View<T>& y,
            cudaStream_t stream) {
  int lanes = 1;
  while (lanes < x.shape.c && lanes < 32) lanes *= 2;
  const std::int64_t windows = y.shape.pixels();
  const dim3 blocks(static_cast<unsigned>(windows * slices),
                    static_cast<unsigned>((x.shape.c + lanes - 1) / lanes));
  reduce_slices<Reduce>
      <<<blocks, kThreads, 0, stream>>>(x, y.shape.h, y.shape.w, slices, lanes, partial);
  cuda_check(cudaGetLastError(), "adaptive_pool/cuda");
  const auto finishing = static_cast<unsigned>((y.shape.elements() + kThreads - 1) / kThreads);
  reduce_partial<Reduce><<<finishing, kThreads, 0, stream>>>(partial, slices, x.shape, y);
  cuda_check(cudaGetLastError(), "adaptive_pool/cuda");
}

}  // namespace

template <class T>
void launch_adaptive_pool_slices(PoolKind kind, const View<const T>& x, double* partial, int slices,
                                 const View<T>& y, cudaStream_t stream) {
  if (kind == PoolKind::kMax) return launch<Largest>(x, partial, slices, y, stream);
  launch<Sum>(x, partial, slices, y, stream);
}
template void launch_adaptive_pool_slices(PoolKind, const View<const float>&, double*, int,
                                          const View<float>&, cudaStream_t);
template void launch_adaptive_pool_slices(PoolKind, const View<const Half>&, double*, int,
                                          const View<Half>&, cudaStream_t);
template void launch_adaptive_pool_slices(PoolKind, const View<const BFloat16>&, double*, int,
                                          const View<BFloat16>&, cudaStream_t);

}  // namespace mend
