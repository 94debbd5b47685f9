// The one-dimensional transform of the lines of a block, in shared memory: line-inl.h's Stockham stages, all radices of
// a number of threads that share the butterflies.
//
// Two buffers hold [element][lane] complex numbers, so that neighbouring threads, which have neighbouring lanes, touch
// all banks once. With fewer than 16 lanes the elements that half a warp writes at once would share banks where they
// are 8 apart, as behind the first stage: the element e lies at e ^ (e / 8 mod 16/lanes).
//
// All twiddles come from one table of the length's roots: w^(p·j) is the root number p·j·stride.
#pragma once

#include "kernels/cuda/divide.cuh"
#include "kernels/fft/cuda.h"
#include "kernels/fft/cuda_complex.cuh"

namespace mend::fft {

constexpr int kLineThreads = 256;
constexpr int kMostStages = 12;  ///< 4096 has 4, 2187 = 3^7 has 7

struct Stage {
  int radix;
  int stride;  ///< the product of the radices before it
  FastDivider by_stride;
};

/// How the lines of a length are transformed.
struct Line {
  int length, stages = 0;
  int lanes_log2;
  int swizzle;  ///< 16/lanes − 1
  Stage stage[kMostStages];
  const float2* roots;

  __host__ __device__ int lanes() const { return 1 << lanes_log2; }
  /// Complex numbers of a buffer.
  __host__ __device__ int numbers() const {
    return (length + swizzle) / (swizzle + 1) * (swizzle + 1) << lanes_log2;
  }
  __device__ int at(int element, int lane) const {
    return ((element ^ (element >> 3 & swizzle)) << lanes_log2) + lane;
  }
};

/// cos and sin of 2π·k/radix.
template <int kRadix>
__device__ constexpr float2 root_of_odd(int k) {
  constexpr float2 kThird[] = {{-0.5f, 0.86602540378443865f}};
  constexpr float2 kFifth[] = {{0.30901699437494742f, 0.95105651629515357f},
                               {-0.80901699437494742f, 0.58778525229247313f}};
  constexpr float2 kSeventh[] = {{0.62348980185873353f, 0.78183148246802981f},
                                 {-0.22252093395631440f, 0.97492791218182361f},
                                 {-0.90096886790241913f, 0.43388373911755812f}};
  const bool upper = k > kRadix / 2;
  const int index = (upper ? kRadix - k : k) - 1;
  const float2 root = kRadix == 3 ? kThird[index] : kRadix == 5 ? kFifth[index] : kSeventh[index];
  return {root.x, upper ? -root.y : root.y};
}

/// An odd prime, as OddRadix of line-inl.h.
template <int kRadix>
__device__ void transform_odd(float2 (&x)[kRadix]) {
  constexpr int kHalf = kRadix / 2;
  float2 sums[kHalf], differences[kHalf];
  const float2 first = x[0];
#pragma unroll
  for (int i = 0; i < kHalf; ++i) {
    sums[i] = add(x[i + 1], x[kRadix - 1 - i]);
    differences[i] = subtract(x[i + 1], x[kRadix - 1 - i]);
    x[0] = add(x[0], sums[i]);
  }
#pragma unroll
  for (int j = 1; j <= kHalf; ++j) {
    float2 even = first, odd{0, 0};
#pragma unroll
    for (int i = 0; i < kHalf; ++i) {
      const float2 root = root_of_odd<kRadix>((i + 1) * j % kRadix);
      even = {fmaf(root.x, sums[i].x, even.x), fmaf(root.x, sums[i].y, even.y)};
      odd = {fmaf(root.y, differences[i].x, odd.x), fmaf(root.y, differences[i].y, odd.y)};
    }
    const float2 turned = quarter_turn(odd);
    x[j] = add(even, turned);
    x[kRadix - j] = subtract(even, turned);
  }
}

template <int kRadix>
__device__ void transform(float2 (&x)[kRadix]) {
  if constexpr (kRadix == 8) {
    transform8(x);
  } else if constexpr (kRadix == 4) {
    transform4(x[0], x[1], x[2], x[3]);
  } else if constexpr (kRadix == 2) {
    const float2 sum = add(x[0], x[1]);
    x[1] = subtract(x[0], x[1]);
    x[0] = sum;
  } else {
    transform_odd<kRadix>(x);
  }
}

/// This thread's share: `lane` of the block's lines, every step-th butterfly from `first` on.
struct Share {
  int lane, first, step;
};

template <int kRadix>
__device__ void run_stage(const Line& line, const Stage& stage, const Share& share,
                          const float2* from, float2* to) {
  const int blocks_strides = line.length / kRadix;
  const bool is_last = stage.stride == blocks_strides;  // its twiddles are 1
  for (int b = share.first; b < blocks_strides; b += share.step) {
    float2 x[kRadix];
#pragma unroll
    for (int i = 0; i < kRadix; ++i) x[i] = from[line.at(b + i * blocks_strides, share.lane)];
    transform(x);
    const auto [p, q] = stage.by_stride(b);
    const int first = q + p * kRadix * stage.stride;
    to[line.at(first, share.lane)] = x[0];
#pragma unroll
    for (int j = 1; j < kRadix; ++j) {
      const float2 y = is_last ? x[j] : multiply(x[j], line.roots[p * j * stage.stride]);
      to[line.at(first + j * stage.stride, share.lane)] = y;
    }
  }
}

/// Any radix: a number of the result at a time, by the sum.
__device__ inline void run_any_stage(const Line& line, const Stage& stage, const Share& share,
                                     const float2* from, float2* to) {
  const int blocks_strides = line.length / stage.radix;
  for (int output = share.first; output < line.length; output += share.step) {
    const int j = output / blocks_strides, b = output - j * blocks_strides;
    float2 sum{0, 0};
    int root = 0;  // i·j mod radix
    for (int i = 0; i < stage.radix; ++i) {
      const float2 product = multiply(from[line.at(b + i * blocks_strides, share.lane)],
                                      line.roots[root * blocks_strides]);
      sum = add(sum, product);
      root += j;
      if (root >= stage.radix) root -= stage.radix;
    }
    const auto [p, q] = stage.by_stride(b);
    const int place = q + (p * stage.radix + j) * stage.stride;
    to[line.at(place, share.lane)] = multiply(sum, line.roots[p * j * stage.stride]);
  }
}

/// Transforms the lines in x; returns which of the two buffers has the result. All threads of the block.
__device__ inline float2* run_stages(const Line& line, const Share& share, float2* x, float2* y) {
  __syncthreads();
  for (int s = 0; s < line.stages; ++s) {
    const Stage& stage = line.stage[s];
    switch (stage.radix) {
      case 2:
        run_stage<2>(line, stage, share, x, y);
        break;
      case 3:
        run_stage<3>(line, stage, share, x, y);
        break;
      case 4:
        run_stage<4>(line, stage, share, x, y);
        break;
      case 5:
        run_stage<5>(line, stage, share, x, y);
        break;
      case 7:
        run_stage<7>(line, stage, share, x, y);
        break;
      case 8:
        run_stage<8>(line, stage, share, x, y);
        break;
      default:
        run_any_stage(line, stage, share, x, y);
    }
    __syncthreads();
    float2* const written = y;
    y = x;
    x = written;
  }
  return x;
}

}  // namespace mend::fft
