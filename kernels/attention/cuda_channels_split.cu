// Channel attention of heads of up to 64 channels: q and k are read once, then v, and y is written once.
//
// What limits the rung below: it reads q and k for every score. Here a warp has all products of a head's
// channels as sums in registers, 9 to 16 KB a warp, and takes 8 pixels at a time for them:
//
//   sum_products   S[i,j] += q[p,i] · k[p,j], |q_i|², |k_j|²    the part of the pixels that is a block's
//   weigh          a block for each row: adds the parts, in double and in their order; softmax
//   mix            y = weights · v; the weights lie in shared memory
//
// Operands go from global memory to the tensor cores without a stop: the order of an mma's rows, columns and
// depth is free, so a lane reads two neighbouring channels, 8 lanes 64 bytes of a pixel, and nothing twice.
// Memory limits it: 8 pixels of 48 channels are 3 KB, 240 cycles of an SM's share of the DRAM; their 18 mma
// take 30. So numbers are split in two (cuda_factors.cuh), and f32's accuracy costs no time. TF32 has every number of
// f16 and bf16: these are not split, and half of the bytes are read; of what is multiplied the weights alone are
// rounded.
#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/attention/cuda.h"
#include "kernels/attention/cuda_channels.cuh"
#include "kernels/attention/cuda_factors.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/run.cuh"

namespace mend {
namespace channel_attention {
namespace {

constexpr int kWarps = 4, kThreads = kWarps * kLanes;
// What is unused is so on Turing, where the kernels are empty.
[[maybe_unused]] constexpr int kStep = 8;  // pixels of an mma's depth
constexpr int kRowsOfMma = 16;
constexpr const char* kName = "channel_attention/cuda_split";

/// Of a head's channels, kTiles times 16: the sums of one part, products and squares of both.
template <int kTiles>
struct Sums {
  static constexpr int kDepth = 16 * kTiles;
  static constexpr int kSquares = kDepth * kDepth, kCount = kSquares + 2 * kDepth;
  /// From row to row in shared memory: 8 mod 16, so that two rows but one apart have all banks.
  static constexpr int pitch() { return kDepth + 8; }
};

template <class T>
constexpr bool kSplits = sizeof(T) == 4;

template <class T>
struct Arguments {
  View<const T> q, k, v;
  const float* temperature;
  View<T> y;
  Pixels pixels;
  int heads, depth;
  int parts, part_pixels;  ///< of sum_products
  int block_pixels;        ///< of mix
  float* products;         ///< [n, head][part][Sums::kCount]
  float* weights;          ///< [n, head][depth][depth]
};

/// Channels c and c + 1 of a head; zeros behind its last.
template <bool kPairs, class T>
__device__ float2 load_pair(const T* head, int c, int depth) {
  if constexpr (kPairs) {
    const auto pair = c < depth ? *reinterpret_cast<const Run<T, 2>*>(head + c) : Run<T, 2>{};
    return {as_float(pair.values[0]), as_float(pair.values[1])};
  }
  return {c < depth ? as_float(head[c]) : 0.0f, c + 1 < depth ? as_float(head[c + 1]) : 0.0f};
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// Two pixels of a lane, p + t and p + t + 4, channels 2g and 2g + 1 of each 16.
template <int kTiles>
struct TwoPixels {
  float2 of[2][kTiles];

  template <bool kPairs, class T>
  __device__ void load(const Arguments<T>& a, const View<const T>& from, int n, int head, int pixel,
                       int last, int lane) {
    // Hides where the number comes from: else addresses are kept in registers, which are all taken here.
    if constexpr (kTiles == 4) asm volatile("" : "+r"(lane));
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int own = pixel + lane % 4 + 4 * half;
      const T* const at = a.pixels(from, n, min(own, last - 1)) + head * a.depth;
      const int depth = own < last ? a.depth : 0;
#pragma unroll
      for (int m = 0; m < kTiles; ++m)
        of[half][m] = load_pair<kPairs>(at, 16 * m + lane / 4 * 2, depth);
    }
  }
};

#endif  // from compute capability 8.0 on

template <int kTiles, bool kPairs, class T>
__global__ void __launch_bounds__(kThreads, kTiles < 4 ? 3 : 2) sum_products(const Arguments<T> a) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  using Its = Sums<kTiles>;
  __shared__ __align__(16) float products[Its::kDepth * Its::pitch()];
  __shared__ float lengths[2 * Its::kDepth];
  const int lane = threadIdx.x % kLanes, warp = threadIdx.x / kLanes, g = lane / 4, t = lane % 4;
  const int part = blockIdx.x % a.parts, group = blockIdx.x / a.parts;
  const int head = group % a.heads, n = group / a.heads;
  const int first = part * a.part_pixels, last = min(first + a.part_pixels, a.pixels.count);

  float sum[kTiles][2 * kTiles][4] = {}, squares[2][kTiles][2] = {};
  TwoPixels<kTiles> q, k;
  const auto load = [&](int pixel) {
    q.template load<kPairs>(a, a.q, n, head, pixel, last, lane);
    k.template load<kPairs>(a, a.k, n, head, pixel, last, lane);
  };
  load(first + warp * kStep);
  for (int pixel = first + warp * kStep; pixel < last; pixel += kWarps * kStep) {
    const TwoPixels<kTiles> now_q = q, now_k = k;
    load(pixel + kWarps * kStep);  // behind the last they are zeros
#pragma unroll
    for (int m = 0; m < kTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float2 x = now_q.of[half][m], z = now_k.of[half][m];
        squares[0][m][0] += x.x * x.x;
        squares[0][m][1] += x.y * x.y;
        squares[1][m][0] += z.x * z.x;
        squares[1][m][1] += z.y * z.y;
      }
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
      // Row g is channel 2g of the 16, row g + 8 channel 2g + 1.
      const Factors<kSplits<T>> rows(
          {now_q.of[0][m].x, now_q.of[0][m].y, now_q.of[1][m].x, now_q.of[1][m].y});
#pragma unroll
      for (int j = 0; j < kTiles; ++j) {
        add_product(sum[m][2 * j], rows, now_k.of[0][j].x, now_k.of[1][j].x);
        add_product(sum[m][2 * j + 1], rows, now_k.of[0][j].y, now_k.of[1][j].y);
      }
    }
  }

  // The warps add theirs one after another. Of row 2g (or 2g + 1) and each 16 columns a lane has 4t to 4t + 3.
  for (int turn = 0; turn < kWarps; ++turn) {
    if (turn > 0) __syncthreads();
    if (turn != warp) continue;
#pragma unroll
    for (int m = 0; m < kTiles; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half)
#pragma unroll
        for (int j = 0; j < kTiles; ++j) {
          float4* const at = reinterpret_cast<float4*>(
              products + (16 * m + 2 * g + half) * Its::pitch() + 16 * j + 4 * t);
          const float(&even)[4] = sum[m][2 * j], (&odd)[4] = sum[m][2 * j + 1];
          const float4 before = turn == 0 ? float4{0, 0, 0, 0} : *at;
          *at = {before.x + even[2 * half], before.y + odd[2 * half], before.z + even[2 * half + 1],
                 before.w + odd[2 * half + 1]};
        }
#pragma unroll
    for (int of = 0; of < 2; ++of)
#pragma unroll
      for (int m = 0; m < kTiles; ++m)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float square = squares[of][m][i];
          square += __shfl_xor_sync(kAll, square, 1);
          square += __shfl_xor_sync(kAll, square, 2);
          float& all = lengths[of * Its::kDepth + 16 * m + 2 * g + i];
          if (t == 0) all = turn == 0 ? square : all + square;
        }
  }
  __syncthreads();
  float* const to = a.products + std::int64_t{blockIdx.x} * Its::kCount;
#pragma unroll 4
  for (int i = threadIdx.x; i < Its::kSquares; i += kThreads)
    to[i] = products[i / Its::kDepth * Its::pitch() + i % Its::kDepth];
  for (int i = threadIdx.x; i < 2 * Its::kDepth; i += kThreads) to[Its::kSquares + i] = lengths[i];
#endif
}

constexpr int kAdders = 16;  // who share the parts of a column

/// The weights of one row: a block adds the parts of its scores and of the squares that they need, in
/// double and in one order.
template <int kTiles, class T>
__global__ void __launch_bounds__(16 * kTiles * kAdders) weigh(const Arguments<T> a) {
  using Its = Sums<kTiles>;
  __shared__ double shared[3][kAdders][Its::kDepth];
  __shared__ float scores[Its::kDepth];
  const int column = threadIdx.x % Its::kDepth, adder = threadIdx.x / Its::kDepth;
  const int row = blockIdx.x % a.depth, group = blockIdx.x / a.depth;
  const float* const from = a.products + std::int64_t{group} * a.parts * Its::kCount;
  double sums[3] = {};  // the product, |k|² of the column, |q|² of the row
#pragma unroll 4
  for (int part = adder; part < a.parts; part += kAdders) {
    const float* const of = from + std::int64_t{part} * Its::kCount;
    sums[0] += of[row * Its::kDepth + column];
    sums[1] += of[Its::kSquares + Its::kDepth + column];
    sums[2] += of[Its::kSquares + row];
  }
#pragma unroll
  for (int i = 0; i < 3; ++i) shared[i][adder][column] = sums[i];
  __syncthreads();
  if (adder == 0) {
#pragma unroll
    for (int other = 1; other < kAdders; ++other)
#pragma unroll
      for (int i = 0; i < 3; ++i) sums[i] += shared[i][other][column];
    const float length_k = fmaxf(sqrtf(static_cast<float>(sums[1])), kShortest);
    const float length_q = fmaxf(sqrtf(static_cast<float>(sums[2])), kShortest);
    scores[column] =
        a.temperature[group % a.heads] * (static_cast<float>(sums[0]) / length_q / length_k);
  }
  __syncthreads();
  if (threadIdx.x >= kLanes) return;
  float* const to = a.weights + (std::int64_t{group} * a.depth + row) * a.depth;
  softmax_of_row(
      a.depth, [&](int j) { return scores[j]; }, [&](int j, float w) { to[j] = w; });
}

template <int kTiles, bool kPairs, class T>
__global__ void __launch_bounds__(kThreads, kTiles < 4 ? 4 : 2) mix(const Arguments<T> a) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  using Its = Sums<kTiles>;
  constexpr int kPitch = Its::pitch();  // also 8 or 24 mod 32: four rows of 32 bytes have all banks
  __shared__ __align__(16) float weights[Its::kDepth * kPitch];
  const int lane = threadIdx.x % kLanes, warp = threadIdx.x / kLanes, g = lane / 4, t = lane % 4;
  const int blocks = (a.pixels.count + a.block_pixels - 1) / a.block_pixels;
  const int block = blockIdx.x % blocks, group = blockIdx.x / blocks;
  const int head = group % a.heads, n = group / a.heads;

  const float* const from = a.weights + std::int64_t{group} * a.depth * a.depth;
#pragma unroll 6
  for (int at = threadIdx.x; at < Its::kSquares; at += kThreads) {
    const int i = at / Its::kDepth, j = at % Its::kDepth;
    const float weight = i < a.depth && j < a.depth ? from[i * a.depth + j] : 0.0f;
    weights[i * kPitch + j] = kSplits<T> ? weight : rounded_to_tf32(weight);
  }
  __syncthreads();

  const int last = min((block + 1) * a.block_pixels, a.pixels.count);
  for (int first = block * a.block_pixels + warp * kRowsOfMma; first < last;
       first += kWarps * kRowsOfMma) {
    // The mma's columns t and t + 4 are channels 2t and 2t + 1 of the 8.
    float2 v[2][2 * kTiles];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int pixel = first + g + 8 * half;
      const T* const at = a.pixels(a.v, n, min(pixel, last - 1)) + head * a.depth;
#pragma unroll
      for (int step = 0; step < 2 * kTiles; ++step)
        v[half][step] = load_pair<kPairs>(at, 8 * step + 2 * t, a.depth);
    }
    float sum[2 * kTiles][4] = {};
#pragma unroll
    for (int step = 0; step < 2 * kTiles; ++step) {
      const Factors<kSplits<T>> rows({v[0][step].x, v[1][step].x, v[0][step].y, v[1][step].y});
#pragma unroll
      for (int i = 0; i < 2 * kTiles; ++i) {
        const float2 w =
            *reinterpret_cast<const float2*>(weights + (8 * i + g) * kPitch + 8 * step + 2 * t);
        add_product(sum[i], rows, w.x, w.y);
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int pixel = first + g + 8 * half;
      if (pixel >= last) continue;
      T* const to = a.pixels(a.y, n, pixel) + head * a.depth;
#pragma unroll
      for (int i = 0; i < 2 * kTiles; ++i) {
        const int c = 8 * i + 2 * t;
        const float low = sum[i][2 * half], high = sum[i][2 * half + 1];
        if constexpr (kPairs) {
          if (c < a.depth) {
            *reinterpret_cast<Run<T, 2>*>(to + c) = {from_float<T>(low), from_float<T>(high)};
          }
        } else {
          if (c < a.depth) to[c] = from_float<T>(low);
          if (c + 1 < a.depth) to[c + 1] = from_float<T>(high);
        }
      }
    }
  }
#endif
}

template <int kTiles, bool kPairs, class T>
void launch(const Arguments<T>& a, cudaStream_t stream) {
  const int groups = a.q.shape.n * a.heads;
  sum_products<kTiles, kPairs><<<static_cast<unsigned>(groups * a.parts), kThreads, 0, stream>>>(a);
  cuda_check(cudaGetLastError(), kName);
  weigh<kTiles>
      <<<static_cast<unsigned>(groups * a.depth), Sums<kTiles>::kDepth * kAdders, 0, stream>>>(a);
  cuda_check(cudaGetLastError(), kName);
  const int blocks = divide_up(a.pixels.count, a.block_pixels);
  mix<kTiles, kPairs><<<static_cast<unsigned>(groups * blocks), kThreads, 0, stream>>>(a);
  cuda_check(cudaGetLastError(), kName);
}

template <bool kPairs, class T>
void launch_tiles(const Arguments<T>& a, cudaStream_t stream) {
  switch (divide_up(a.depth, 16)) {
    case 1:
      return launch<1, kPairs>(a, stream);
    case 2:
      return launch<2, kPairs>(a, stream);
    case 3:
      return launch<3, kPairs>(a, stream);
    default:
      return launch<4, kPairs>(a, stream);
  }
}

}  // namespace
}  // namespace channel_attention

template <class T>
void launch_channel_attention_split(const TypedCudaAttentionCall<T>& call,
                                    const CudaChannelParts& parts, float* working) {
  using namespace channel_attention;
  const int depth = call.q.shape.c / call.heads;
  const Pixels pixels(call.q.shape);
  // Blocks of mix: enough to fill the GPU, with 128 pixels or more.
  const int groups = call.q.shape.n * call.heads;
  const int most_blocks = std::max(1, kChannelBlocks / groups);
  const int rows = kWarps * kRowsOfMma;
  const int wanted = std::clamp(divide_up(pixels.count, 2 * rows), 1, most_blocks);
  const Arguments<T> a{call.q,
                       call.k,
                       call.v,
                       call.bias.data,
                       call.y,
                       pixels,
                       call.heads,
                       depth,
                       parts.count,
                       parts.pixels,
                       divide_up(divide_up(pixels.count, wanted), rows) * rows,
                       working,
                       working + std::int64_t{groups} * parts.count * parts.floats};
  const bool pairs =
      depth % 2 == 0 && runs<2>(call.q) && runs<2>(call.k) && runs<2>(call.v) && runs<2>(call.y);
  pairs ? launch_tiles<true>(a, call.stream) : launch_tiles<false>(a, call.stream);
}
template void launch_channel_attention_split(const TypedCudaAttentionCall<float>&,
                                             const CudaChannelParts&, float*);
template void launch_channel_attention_split(const TypedCudaAttentionCall<Half>&,
                                             const CudaChannelParts&, float*);
template void launch_channel_attention_split(const TypedCudaAttentionCall<BFloat16>&,
                                             const CudaChannelParts&, float*);

}  // namespace mend
