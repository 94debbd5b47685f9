// The gradients of grid sampling. The image's scatters: many outputs may read one pixel, and nobody knows which; sums
// in fixed point (kernels/cuda/fixed_point.cuh) do not depend on the order of the terms. The grid's is a sum over
// channels, a warp for each output.
#include "engine/cuda/check.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/fixed_point.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/grid_sample/cuda.h"
#include "kernels/grid_sample/cuda_taps.cuh"

namespace mend {
namespace {

using namespace grid_sample;

constexpr int kThreads = 256, kWarp = 32, kWarps = kThreads / kWarp;
constexpr int kOutputs = 64;  ///< of a block of scatter_taps

template <SampleMode kMode>
__global__ void __launch_bounds__(kThreads)
    scatter_taps(CudaGridSample op, View<const float> grid, View<const float> dy, FixedPoint sums,
                 FastDivider width, FastDivider channels) {
  constexpr int kTaps = taps_of(kMode);
  __shared__ alignas(16) char memory[kOutputs * sizeof(OutputTaps<kMode>)];
  auto* taps = reinterpret_cast<OutputTaps<kMode>*>(memory);
  const int n = blockIdx.z, first = blockIdx.x * kOutputs;
  const int count = min(kOutputs, dy.shape.h * dy.shape.w - first);
  if (static_cast<int>(threadIdx.x) < count) {
    const auto [p, q] = width(first + threadIdx.x);
    const float* at = pixel_of(grid, n, p, q);
    taps[threadIdx.x] = OutputTaps<kMode>(op, at[0], at[1]);
  }
  __syncthreads();
  const double per_unit = sums.per_unit();
  const int C = dy.shape.c, all = count * C;
  for (int unit = threadIdx.x; unit < all; unit += kThreads) {
    const auto [output, c] = channels(unit);
    const auto [p, q] = width(first + output);
    const OutputTaps<kMode>& own = taps[output];
    if (!own.is_finite) continue;
    const double term = pixel_of(dy, n, p, q)[c] * per_unit;
#pragma unroll
    for (int r = 0; r < kTaps; ++r) {
#pragma unroll
      for (int s = 0; s < kTaps; ++s) {
        const float weight = own.rows.weight[r] * own.columns.weight[s];
        if (weight == 0) continue;
        const std::int64_t pixel =
            (std::int64_t{n} * op.rows.extent + own.rows.index[r]) * op.columns.extent +
            own.columns.index[s];
        sums.add(pixel * C + c, weight * term);
      }
    }
  }
}

/// How an output changes with the grid's numbers.
template <SampleMode kMode>
__global__ void __launch_bounds__(kThreads)
    differentiate_grid(CudaGridSample op, View<const float> x, View<const float> grid,
                       View<const float> dy, View<float> y, FastDivider width) {
  constexpr int kTaps = taps_of(kMode);
  const int output = blockIdx.x * kWarps + threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  if (output >= y.shape.h * y.shape.w) return;
  const int n = blockIdx.z;
  const auto [p, q] = width(output);
  const float* at = pixel_of(grid, n, p, q);
  const double u = pixel_position(at[0], op.columns, op.align_corners);
  const double v = pixel_position(at[1], op.rows, op.align_corners);
  double of_column = 0, of_row = 0;
  if (isfinite(u) && isfinite(v)) {
    const auto columns = sloped_taps<kMode>(u, op.columns, op);
    const auto rows = sloped_taps<kMode>(v, op.rows, op);
    const float* from = pixel_of(dy, n, p, q);
#pragma unroll
    for (int r = 0; r < kTaps; ++r) {
#pragma unroll
      for (int s = 0; s < kTaps; ++s) {
        if (!rows.is_there[r] || !columns.is_there[s]) continue;
        const float* pixel = pixel_of(x, n, rows.index[r], columns.index[s]);
        double product = 0;
        constexpr int kAtATime = kTaps > 2 ? 1 : 4;  // sixteen loops of four spill registers
#pragma unroll kAtATime
        for (int c = lane; c < x.shape.c; c += kWarp) product += double{pixel[c]} * from[c];
        of_column += product * rows.weight[r] * columns.slope[s];
        of_row += product * rows.slope[r] * columns.weight[s];
      }
    }
  }
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    of_column += __shfl_xor_sync(0xFFFFFFFFu, of_column, step);
    of_row += __shfl_xor_sync(0xFFFFFFFFu, of_row, step);
  }
  if (lane != 0) return;
  float* to = pixel_of(y, n, p, q);
  to[0] = static_cast<float>(of_column);
  to[1] = static_cast<float>(of_row);
}

}  // namespace

void launch_grid_sample_image_gradient(const CudaGridSample& op, const View<const float>& grid,
                                       const View<const float>& dy, const View<float>& y,
                                       cudaStream_t stream) {
  const char* kName = "grid_sample_image_gradient/cuda";
  const int pixels = dy.shape.h * dy.shape.w;
  const dim3 blocks(divide_up(pixels, kOutputs), 1, dy.shape.n);
  with_mode(op.mode, [&]<SampleMode kMode>() {
    const std::int64_t terms = std::int64_t{pixels} * taps_of(kMode) * taps_of(kMode);
    const FixedPointSums sums(y, {dy}, terms, kName);
    scatter_taps<kMode><<<blocks, kThreads, 0, stream>>>(
        op, grid, dy, sums.on_gpu(), FastDivider(dy.shape.w), FastDivider(dy.shape.c));
    cuda_check(cudaGetLastError(), kName);
    sums.place();
  });
}

void launch_grid_sample_grid_gradient(const CudaGridSample& op, const View<const float>& x,
                                      const View<const float>& grid, const View<const float>& dy,
                                      const View<float>& y, cudaStream_t stream) {
  const dim3 blocks(divide_up(y.shape.h * y.shape.w, kWarps), 1, y.shape.n);
  with_mode(op.mode, [&]<SampleMode kMode>() {
    differentiate_grid<kMode>
        <<<blocks, kThreads, 0, stream>>>(op, x, grid, dy, y, FastDivider(y.shape.w));
    cuda_check(cudaGetLastError(), "grid_sample_grid_gradient/cuda");
  });
}

}  // namespace mend
