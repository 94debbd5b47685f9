// The gradients of the deformable convolution beside matrix products. The image's scatters, as that of grid sampling
// does (kernels/grid_sample/cuda_gradient.cu): sums in fixed point. Those of offsets and masks are sums over the
// channels of an offset group, a warp for each tap of each output.
#include "engine/cuda/check.h"
#include "kernels/cuda/add_parts.cuh"
#include "kernels/cuda/fixed_point.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/deform_conv2d/cuda.h"
#include "kernels/deform_conv2d/cuda_taps.cuh"
#include "kernels/matmul/cuda_place.cuh"

namespace mend {
namespace {

using namespace deform;

constexpr int kThreads = 256, kWarp = 32, kWarps = kThreads / kWarp;
constexpr int kSamples = 64;  ///< of a block of scatter_columns

/// Where the channels of a sample begin in column [N,P,Q,R·S·C].
__device__ const float* column_of(const View<const float>& column, const Samples& samples, int n,
                                  const Sample& sample, int C, int channels) {
  const auto [p, q] = samples.width(sample.pixel);
  return pixel_of(column, n, p, q) + sample.tap * C + sample.g * channels;
}

/// y is without data: the shape and the places of the sums.
__global__ void __launch_bounds__(kThreads)
    scatter_columns(const __grid_constant__ Samples samples, View<const float> column,
                    View<const float> y, FixedPoint sums, FastDivider channels) {
  __shared__ alignas(16) char memory[kSamples * sizeof(Corners)];
  auto* corners = reinterpret_cast<Corners*>(memory);
  const int n = blockIdx.z, first = blockIdx.x * kSamples;
  const int count = min(kSamples, samples.count - first);
  if (static_cast<int>(threadIdx.x) < count) {
    corners[threadIdx.x] = Corners(y, n, samples.position(samples.at(first + threadIdx.x), n, 0));
  }
  __syncthreads();
  const double per_unit = sums.per_unit();
  const int of_group = static_cast<int>(channels.divisor), all = count * of_group;
  for (int unit = threadIdx.x; unit < all; unit += kThreads) {
    const auto [own, c] = channels(unit);
    const Sample sample = samples.at(first + own);
    const double term = column_of(column, samples, n, sample, y.shape.c, of_group)[c] * per_unit;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float weight = corners[own].weight[i];
      if (weight == 0 || isnan(weight)) continue;  // a position that is no number sees nothing
      sums.add(corners[own].at[i] + sample.g * of_group + c, weight * term);
    }
  }
}

/// kOfMask: y is like the mask, else like the offset.
template <bool kOfMask>
__global__ void __launch_bounds__(kThreads)
    differentiate_samples(const __grid_constant__ Samples samples, View<const float> x,
                          View<const float> column, View<float> y, int channels) {
  const int index = blockIdx.x * kWarps + threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  if (index >= samples.count) return;
  const int n = blockIdx.z;
  const Sample sample = samples.at(index);
  const auto [h, w, gate] = samples.position(sample, n, 0);
  const float* from = column_of(column, samples, n, sample, x.shape.c, channels);
  double seen = 0, along_h = 0, along_w = 0;
  if (isfinite(h) && isfinite(w) && h > -1 && h < x.shape.h && w > -1 && w < x.shape.w) {
    const double top = floor(h), left = floor(w), down = h - top, right = w - left;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = static_cast<int>(top) + i / 2, at = static_cast<int>(left) + i % 2;
      if (row < 0 || row >= x.shape.h || at < 0 || at >= x.shape.w) continue;
      const float* pixel = pixel_of(x, n, row, at) + sample.g * channels;
      double product = 0;
      for (int c = lane; c < channels; c += kWarp) product += double{pixel[c]} * from[c];
      const double of_h = i / 2 ? down : 1 - down, of_w = i % 2 ? right : 1 - right;
      seen += of_h * of_w * product;
      along_h += (i / 2 ? of_w : -of_w) * product;
      along_w += (i % 2 ? of_h : -of_h) * product;
    }
  }
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    seen += __shfl_xor_sync(0xFFFFFFFFu, seen, step);
    along_h += __shfl_xor_sync(0xFFFFFFFFu, along_h, step);
    along_w += __shfl_xor_sync(0xFFFFFFFFu, along_w, step);
  }
  if (lane != 0) return;
  const auto [p, q] = samples.width(sample.pixel);
  const int t = sample.g * samples.taps_of_group() + sample.tap;
  float* to = pixel_of(y, n, p, q);
  if constexpr (kOfMask) {
    to[t] = static_cast<float>(seen);
  } else {
    to[2 * t] = static_cast<float>(gate * along_h);
    to[2 * t + 1] = static_cast<float>(gate * along_w);
  }
}

}  // namespace

void launch_deform_image_gradient(const CudaDeform& op, const View<const float>& offset,
                                  const View<const float>& mask, const View<const float>& column,
                                  const View<float>& y, cudaStream_t stream) {
  const char* kName = "deform_image_gradient/cuda";
  const Samples samples(op, offset, mask, offset.shape.h);
  const std::int64_t terms =
      std::int64_t{offset.shape.h} * offset.shape.w * op.kernel_h * op.kernel_w;
  const FixedPointSums sums(y, {column, mask}, terms, kName);
  const std::int64_t row = std::int64_t{y.shape.w} * y.shape.c;
  const View<const float> places{nullptr, y.shape, row * y.shape.h, row, y.shape.c};
  const dim3 blocks(divide_up(samples.count, kSamples), 1, y.shape.n);
  scatter_columns<<<blocks, kThreads, 0, stream>>>(samples, column, places, sums.on_gpu(),
                                                   FastDivider(y.shape.c / op.offset_groups));
  cuda_check(cudaGetLastError(), kName);
  sums.place();
}

void launch_deform_offset_gradient(const CudaDeform& op, bool of_mask, const View<const float>& x,
                                   const View<const float>& offset, const View<const float>& mask,
                                   const View<const float>& column, const View<float>& y,
                                   cudaStream_t stream) {
  const Samples samples(op, offset, mask, offset.shape.h);
  const dim3 blocks(divide_up(samples.count, kWarps), 1, x.shape.n);
  const auto run = of_mask ? differentiate_samples<true> : differentiate_samples<false>;
  run<<<blocks, kThreads, 0, stream>>>(samples, x, column, y, x.shape.c / op.offset_groups);
  cuda_check(cudaGetLastError(), "deform_offset_gradient/cuda");
}

void launch_deform_add_parts(const float* parts, int count, const View<float>& y,
                             cudaStream_t stream) {
  launch_add_parts(parts, count, y.shape.elements(), PlaceInMatrices{y}, stream);
}

}  // namespace mend
