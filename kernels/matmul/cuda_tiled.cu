// A matrix product in f32 from tiles in shared memory.
//
// What limits the rung below: it fetches two numbers for each FMA. Here a block computes 128 x 64 numbers of y. It
// brings 16 columns of a's 128 rows and 16 rows of b's 64 columns into shared memory, and each of its 128 threads
// keeps 8 x 8 sums in registers: for each k it reads 8 + 8 numbers there, four accesses of 16 bytes, and does 64
// FMAs with them. Of global memory the block reads a number for 43 FMAs.
//
//   thread (column t % 8, row t / 8):  rows    4·row ... + 3 and 64 more,
//                                      columns 4·column ... + 3 and 32 more: a warp reads 128 bytes of b, and of
//                                      a four times 16 bytes, which eight threads share
//
// Two buffers: the next numbers are on their way from global memory into registers while these are multiplied, and
// go into the other buffer then; one barrier for 16 k. Sums over a long k are cut into parts, so that few tiles
// fill a GPU too and f32 sums stay short.
//
// Bound: the FMA units, at about half of their peak. Tensor cores (cuda_tf32) do eight times more.
#include <algorithm>

#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/add_parts.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/matmul/cuda.h"
#include "kernels/matmul/cuda_place.cuh"

namespace mend {
namespace {

constexpr int kThreads = 128;
constexpr int kChunk = 16;  // k at a time
constexpr int kRows = kMatmulTileRows, kColumns = kMatmulTileColumns;
constexpr int kSums = 8;                                // of a thread, each way
constexpr int kShortest = 8 * kChunk, kLongest = 4096;  // k of a part
constexpr int kFilling = 264;  // blocks: two for each multiprocessor of an H100

/// One of the two factors of a block: `extent` numbers for each k. Of a these are rows, of b columns.
struct Factor {
  const float* data;
  std::int64_t side_stride, depth_stride;  // one of them is 1
  int extent;
};

/// What a thread brings of a chunk, from global memory through registers into shared memory.
template <int kExtent, bool kDepthInner>
struct Carried {
  static constexpr int kCount = kExtent * kChunk / kThreads;
  static constexpr int kPitch = kExtent + 4;  // 4 mod 32: 8 k x 4 numbers lie in all banks
  float values[kCount];

  /// Neighbouring threads have 8 neighbouring k, a sector, or neighbouring numbers of one k.
  __device__ static int side(int i) {
    return kDepthInner ? threadIdx.x / 8 + i / 2 * (kThreads / 8) : threadIdx.x % kExtent;
  }
  __device__ static int depth(int i) {
    return kDepthInner ? threadIdx.x % 8 + i % 2 * 8
                       : threadIdx.x / kExtent + i * (kThreads / kExtent);
  }
  __device__ void load(const Factor& from, int first, int begin, int end) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const int at = first + side(i), k = begin + depth(i);
      const bool inside = at < from.extent && k < end;
      values[i] = inside ? from.data[at * from.side_stride + k * from.depth_stride] : 0;
    }
  }
  __device__ void store(float* to) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) to[depth(i) * kPitch + side(i)] = values[i];
  }
};

struct Arguments {
  Factor a, b;
  View<const float> a_view, b_view;
  View<float> y;
  float* parts;        // [part][matrix][M][N], or none
  bool packs;          // rows of what is written start at multiples of 16 bytes
  int inner, length;   // length: k of a part
  int tiles, tiles_n;  // of a matrix, of a row of tiles
};

/// Numbers [at, at + 4) and [at + kHalf, at + kHalf + 4).
template <int kHalf>
__device__ void load_eight(float (&to)[kSums], const float* at) {
  *reinterpret_cast<float4*>(to) = *reinterpret_cast<const float4*>(at);
  *reinterpret_cast<float4*>(to + 4) = *reinterpret_cast<const float4*>(at + kHalf);
}

template <bool kADepthInner, bool kBDepthInner>
__global__ void __launch_bounds__(kThreads) tiled(Arguments args) {
  using A = Carried<kRows, kADepthInner>;
  using B = Carried<kColumns, kBDepthInner>;
  __shared__ __align__(16) float shared_a[2][kChunk * A::kPitch];
  __shared__ __align__(16) float shared_b[2][kChunk * B::kPitch];
  const View<float>& y = args.y;
  const int tile = blockIdx.x % args.tiles, matrix = blockIdx.x / args.tiles;
  const int h = matrix % y.shape.h, n = matrix / y.shape.h;
  const int first_i = tile / args.tiles_n * kRows, first_j = tile % args.tiles_n * kColumns;
  const auto of_matrix = [&](Factor factor, const View<const float>& view) {
    factor.data = pixel_of(view, view.shape.n == 1 ? 0 : n, view.shape.h == 1 ? 0 : h, 0);
    return factor;
  };
  const Factor a = of_matrix(args.a, args.a_view), b = of_matrix(args.b, args.b_view);
  const int row = threadIdx.x / 8 * 4, column = threadIdx.x % 8 * 4;

  const int begin = blockIdx.y * args.length, end = min(begin + args.length, args.inner);
  float sum[kSums][kSums] = {};
  A from_a;
  B from_b;
  from_a.load(a, first_i, begin, end);
  from_b.load(b, first_j, begin, end);
  int buffer = 0;
  for (int first = begin; first < end; first += kChunk) {
    from_a.store(shared_a[buffer]);
    from_b.store(shared_b[buffer]);
    __syncthreads();  // and nobody reads the other buffer any more
    if (first + kChunk < end) {
      from_a.load(a, first_i, first + kChunk, end);
      from_b.load(b, first_j, first + kChunk, end);
    }
#pragma unroll 4
    for (int k = 0; k < kChunk; ++k) {
      float rows[kSums], columns[kSums];
      load_eight<kRows / 2>(rows, shared_a[buffer] + k * A::kPitch + row);
      load_eight<kColumns / 2>(columns, shared_b[buffer] + k * B::kPitch + column);
#pragma unroll
      for (int i = 0; i < kSums; ++i) {
#pragma unroll
        for (int j = 0; j < kSums; ++j) sum[i][j] = fmaf(rows[i], columns[j], sum[i][j]);
      }
    }
    buffer ^= 1;
  }

  const int M = y.shape.w, N = y.shape.c;
#pragma unroll
  for (int i = 0; i < kSums; ++i) {
    const int at_i = first_i + row + i % 4 + i / 4 * (kRows / 2);
    if (at_i >= M) continue;
    float* to = pixel_of(y, n, h, at_i);
    if (args.parts != nullptr) {
      const std::int64_t of_part = std::int64_t{blockIdx.y} * (y.shape.n * y.shape.h) + matrix;
      to = args.parts + (of_part * M + at_i) * N;
    }
#pragma unroll
    for (int j = 0; j < kSums; j += 4) {
      const int at_j = first_j + column + j / 4 * (kColumns / 2);
      if (args.packs && at_j + 4 <= N) {
        *reinterpret_cast<float4*>(to + at_j) = {sum[i][j], sum[i][j + 1], sum[i][j + 2],
                                                 sum[i][j + 3]};
        continue;
      }
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        if (at_j + e < N) to[at_j + e] = sum[i][j + e];
      }
    }
  }
}

}  // namespace

int matmul_tiled_splits(const Shape& y, int inner) {
  const std::int64_t tiles =
      std::int64_t{y.n} * y.h * divide_up(y.w, kRows) * divide_up(y.c, kColumns);
  const int filling = static_cast<int>(std::max<std::int64_t>(1, kFilling / tiles));
  const int splits = std::max(std::min(filling, inner / kShortest), divide_up(inner, kLongest));
  // Parts of whole chunks.
  return splits < 2 ? 1 : divide_up(inner, divide_up(divide_up(inner, splits), kChunk) * kChunk);
}

void launch_matmul_tiled(const CudaMatmulCall& call) {
  const Shape& y = call.y.shape;
  Arguments args{};
  args.a_view = call.a;
  args.b_view = call.b;
  args.a = {nullptr, call.transpose_a ? 1 : call.a.w_stride, call.transpose_a ? call.a.w_stride : 1,
            y.w};
  args.b = {nullptr, call.transpose_b ? call.b.w_stride : 1, call.transpose_b ? 1 : call.b.w_stride,
            y.c};
  args.y = call.y;
  args.packs = packs(call.y);
  args.inner = call.inner;
  args.tiles_n = divide_up(y.c, kColumns);
  args.tiles = divide_up(y.w, kRows) * args.tiles_n;
  const int splits = matmul_tiled_splits(y, call.inner);
  args.length = divide_up(divide_up(call.inner, splits), kChunk) * kChunk;
  Tensor parts;
  if (splits > 1) {
    parts = Tensor::empty({splits, y.n * y.h, y.w, y.c}, DType::kF32, current_cuda_device());
    args.parts = parts.view<float>().data;
    args.packs = y.c % 4 == 0;
  }
  const auto kernel = call.transpose_a ? call.transpose_b ? tiled<false, true> : tiled<false, false>
                      : call.transpose_b ? tiled<true, true>
                                         : tiled<true, false>;
  const dim3 grid(args.tiles * y.n * y.h, splits);
  kernel<<<grid, kThreads, 0, call.stream>>>(args);
  cuda_check(cudaGetLastError(), "matmul/cuda_tiled");
  if (splits > 1) {
    launch_add_parts(args.parts, splits, y.elements(), PlaceInMatrices{call.y}, call.stream);
  }
}

}  // namespace mend
