// Channel attention in three steps that keep nothing: a warp for each score and each softmax, a thread for
// each output. Every case; q and k are read once for every score.
#include "engine/cuda/check.h"
#include "kernels/attention/cuda.h"
#include "kernels/attention/cuda_channels.cuh"

namespace mend {
namespace channel_attention {
namespace {

constexpr int kThreads = 256;
constexpr const char* kName = "channel_attention/cuda_naive";

__device__ double warp_sum(double value) {
  for (int apart = kLanes / 2; apart > 0; apart /= 2) value += __shfl_xor_sync(kAll, value, apart);
  return value;
}

/// scores[n][i][j]: j of the head of channel i; without the temperature.
__global__ void __launch_bounds__(kThreads)
    sum_scores(View<const float> q, View<const float> k, Pixels pixels, int depth,
               std::int64_t count, float* scores) {
  const std::int64_t score = (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) / kLanes;
  if (score >= count) return;
  const int C = q.shape.c, row = static_cast<int>(score / depth);
  const int i = row % C, n = row / C, j = i / depth * depth + static_cast<int>(score % depth);
  double product = 0, square_q = 0, square_k = 0;
  for (int pixel = threadIdx.x % kLanes; pixel < pixels.count; pixel += kLanes) {
    const double a = pixels(q, n, pixel)[i], b = pixels(k, n, pixel)[j];
    product += a * b;
    square_q += a * a;
    square_k += b * b;
  }
  product = warp_sum(product);
  const double lengths = fmax(sqrt(warp_sum(square_q)), double{kShortest}) *
                         fmax(sqrt(warp_sum(square_k)), double{kShortest});
  if (threadIdx.x % kLanes == 0) scores[score] = static_cast<float>(product / lengths);
}

__global__ void __launch_bounds__(kThreads)
    weigh(float* scores, const float* temperature, int rows, int C, int depth) {
  const int row = (blockIdx.x * kThreads + threadIdx.x) / kLanes;
  if (row >= rows) return;
  float* const own = scores + std::int64_t{row} * depth;
  const float factor = temperature[row % C / depth];
  softmax_of_row(
      depth, [&](int j) { return factor * own[j]; }, [&](int j, float w) { own[j] = w; });
}

__global__ void __launch_bounds__(kThreads)
    mix(View<const float> v, const float* weights, Pixels pixels, int depth, View<float> y) {
  const std::int64_t task = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int C = v.shape.c, i = static_cast<int>(task % C), first = i / depth * depth;
  const std::int64_t at = task / C;
  const int pixel = static_cast<int>(at % pixels.count), n = static_cast<int>(at / pixels.count);
  if (n >= v.shape.n) return;
  const float* const own = weights + (std::int64_t{n} * C + i) * depth;
  const float* const from = pixels(v, n, pixel) + first;
  float sum = 0;
  for (int j = 0; j < depth; ++j) sum += own[j] * from[j];
  pixels(y, n, pixel)[i] = sum;
}

}  // namespace
}  // namespace channel_attention

void launch_channel_attention_naive(const CudaAttentionCall& call, float* scores) {
  using namespace channel_attention;
  const Shape& s = call.q.shape;
  const int depth = s.c / call.heads, rows = s.n * s.c;
  const Pixels pixels(s);
  const std::int64_t count = std::int64_t{rows} * depth;
  const auto warps_of = [](std::int64_t tasks) {
    return static_cast<unsigned>((tasks * kLanes + kThreads - 1) / kThreads);
  };
  sum_scores<<<warps_of(count), kThreads, 0, call.stream>>>(call.q, call.k, pixels, depth, count,
                                                            scores);
  cuda_check(cudaGetLastError(), kName);
  weigh<<<warps_of(rows), kThreads, 0, call.stream>>>(scores, call.bias.data, rows, s.c, depth);
  cuda_check(cudaGetLastError(), kName);
  mix<<<static_cast<unsigned>((s.elements() + kThreads - 1) / kThreads), kThreads, 0,
        call.stream>>>(call.v, scores, pixels, depth, call.y);
  cuda_check(cudaGetLastError(), kName);
}

}  // namespace mend
