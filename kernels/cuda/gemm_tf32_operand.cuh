// Where the numbers of a matrix product lie, and how a tile of them comes into shared memory.
//
// An operand is rows of numbers that lie side by side: of x [pixels, C] or of a [M, K] the depth (what is summed
// over) lies inside a row, kDepthInner; of b [K, N], or where pixels are summed over, each depth is a row.
//
//   kDepthInner   shared [side][32 depths], the unit u of 16 bytes of row i at u ^ (i % 8): ldmatrix reads 8 rows
//   else          shared [32 depths][side], unit u of row i at u ^ 2·(i % 4): a fragment is 4 depths x 8 numbers
//
// Both touch all 32 banks once, written and read. What lies outside is zero-filled by cp.async.
#pragma once

#include "kernels/conv2d/padding_mode.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/gemm_tf32_plan.h"
#include "kernels/cuda/tensor_core.cuh"

namespace mend::gemm_tf32 {

/// The rows of a matrix, one of a batch; or of weights, a piece for each tap.
struct MatrixRows {
  const float* data;
  int rows, columns;
  std::int64_t outer_stride, inner_stride;
  int row_stride;
  FastDivider inner;  ///< batch = outer · inner + ...
  int tap_stride;     ///< from the columns of a tap to those of the next
  bool packs;         ///< rows start at multiples of 16 bytes

  struct Cursor {
    const float* first;
    int stride;
    __device__ const float* row(int row) const { return first + std::int64_t{row} * stride; }
    __device__ bool flat() const { return true; }  ///< row i is i · stride away
  };
  __device__ Cursor cursor(int batch, int tap) const {
    const auto [outside, inside] = inner(batch);
    return {data + outside * outer_stride + inside * inner_stride + tap * tap_stride, row_stride};
  }
};

/// How far a pixel's row of numbers is found.
enum class PixelWalk {
  kFlat,   // i · w_stride: one tap, and no gaps behind rows and images
  kLines,  // line i / width of the result, and its column: no padding, no gaps behind images
  kAny,
};

/// The pixels that a tap of a convolution sees, a row for each pixel of its result.
struct PixelRows {
  const float* data;
  int rows, columns;
  std::int64_t n_stride, h_stride;
  int w_stride;
  FastDivider width, height, kernel_w;  ///< of the result; of the kernel
  int H, W;                             ///< of the image
  int stride, dilation, padding_h, padding_w;
  PaddingMode padding_mode;
  PixelWalk walk;
  bool packs;

  struct Cursor {
    const PixelRows& x;
    int down, right;  // of the tap, without the result's pixel
    int stride;
    __device__ bool flat() const { return x.walk == PixelWalk::kFlat; }
    /// Null where the pixel is padding.
    __device__ const float* row(int row) const {
      if (flat()) return x.data + std::int64_t{row} * x.w_stride;
      const auto [line, q] = x.width(row);
      if (x.walk == PixelWalk::kLines)
        return pixel(0, line * x.stride + down, q * x.stride + right);
      const auto [n, p] = x.height(line);
      int h = p * x.stride + down, w = q * x.stride + right;
      if (x.padding_mode != PaddingMode::kZeros) {
        h = source_index(h, x.H, x.padding_mode);
        w = source_index(w, x.W, x.padding_mode);
      }
      const bool inside = static_cast<unsigned>(h) < static_cast<unsigned>(x.H) &&
                          static_cast<unsigned>(w) < static_cast<unsigned>(x.W);
      return inside ? pixel(n, h, w) : nullptr;
    }
    __device__ const float* pixel(int n, int h, int w) const {
      return x.data + n * x.n_stride + h * x.h_stride + std::int64_t{w} * x.w_stride;
    }
  };
  /// The tap is one of the depth's, or the batch.
  __device__ Cursor cursor(int batch, int tap) const {
    const auto [r, s] = kernel_w(batch + tap);
    return {*this, r * dilation - padding_h, s * dilation - padding_w, w_stride};
  }
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// Asks for kSide numbers of the other extent from `side` on, kGemmDepth of the depth from `depth` on.
template <bool kDepthInner, int kSide, int kThreads, class Operand>
__device__ void load_tile(const Operand& operand, const typename Operand::Cursor& cursor, int side,
                          int depth, std::uint32_t to) {
  constexpr int kRows = kDepthInner ? kSide : kGemmDepth;
  constexpr int kUnits = (kDepthInner ? kGemmDepth : kSide) / 4;
  constexpr int kStep = kThreads / kUnits;  // rows from one copy of a thread to the next
  static_assert(kRows % kStep == 0 && kStep % (kDepthInner ? 8 : 4) == 0);
  const int unit = threadIdx.x % kUnits, first = threadIdx.x / kUnits;
  const int column = (kDepthInner ? depth : side) + unit * 4;
  const int row = (kDepthInner ? side : depth) + first;
  const bool is_column = column < operand.columns;
  const bool moves_packs = operand.packs && (column + 4 <= operand.columns || !is_column);
  // The same unit in all rows of the thread, as kStep is a multiple of the swizzle's period.
  const std::uint32_t swizzled = kDepthInner ? unit ^ (first & 7) : unit ^ ((first & 3) << 1);
  const std::uint32_t address = to + first * (kUnits * 16) + (swizzled << 4);
  constexpr int kCount = kRows / kStep, kStepBytes = kStep * kUnits * 16;
  if (moves_packs && cursor.flat() && row - first + kRows <= operand.rows) {
    // Four instructions a copy.
    const float* from = is_column ? cursor.row(row) + column : operand.data;
    const std::int64_t step = is_column ? std::int64_t{kStep} * cursor.stride : 0;
    for_each_index<kCount>([&](auto i) {
      copy_16_async_behind<i * kStepBytes>(address, from, is_column);
      from += step;
    });
    return;
  }
#pragma unroll 1
  for (int i = 0; i < kCount; ++i) {
    const float* from = nullptr;
    if (row + i * kStep < operand.rows && is_column) from = cursor.row(row + i * kStep);
    const bool inside = from != nullptr;
    from = inside ? from + column : operand.data;
    const std::uint32_t at = address + i * kStepBytes;
    if (moves_packs) {
      copy_16_async(at, from, inside);
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const bool is_there = inside && column + j < operand.columns;
        copy_4_async(at + j * 4, is_there ? from + j : operand.data, is_there);
      }
    }
  }
}

/// One number of shared memory.
template <int kOffset>
__device__ std::uint32_t load_word(std::uint32_t address) {
  std::uint32_t word;
  asm volatile("ld.shared.b32 %0, [%1 + %2];" : "=r"(word) : "r"(address), "n"(kOffset) : "memory");
  return word;
}

/// Where a lane finds its numbers of a warp's part of a tile of kSide.
template <bool kDepthInner, int kSide, bool kIsA>
struct Fragments;

template <int kSide, bool kIsA>
struct Fragments<true, kSide, kIsA> {
  std::uint32_t row, swizzle;

  /// first: of the warp's numbers.
  __device__ Fragments(int first, int lane) {
    // Matrices in the order of the registers: for A the other 8 rows come first, for B the other 4 depths.
    const int other = kIsA ? lane / 8 % 2 : lane / 16;
    const int unit = kIsA ? lane / 16 : lane / 8 % 2;
    row = (first + other * 8 + lane % 8) * (kGemmDepth * 4);
    swizzle = (unit ^ (lane % 8)) << 4;
  }
  /// Numbers [kIndex·16, + 16) of the warp's, step `step` of 8 depths.
  template <int kIndex>
  __device__ void load(std::uint32_t (&numbers)[4], std::uint32_t tile, int step) const {
    load_matrices<kIndex * 16 * kGemmDepth * 4>(numbers, tile + row + (swizzle ^ (step << 5)));
  }
};

template <int kSide, bool kIsA>
struct Fragments<false, kSide, kIsA> {
  static_assert(kSide % 32 == 0);
  std::uint32_t own[4];  // of 8 numbers at (j % 4)·8, in row lane % 4

  __device__ Fragments(int first, int lane) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      own[j] = (lane % 4 * kSide + first + ((j ^ (lane % 4)) * 8) + lane / 4) * 4;
    }
  }
  template <int kIndex>
  __device__ void load(std::uint32_t (&numbers)[4], std::uint32_t tile, int step) const {
    constexpr int kBeyond = kIndex / 2 * 128, kFour = 4 * kSide * 4;
    const std::uint32_t low = tile + step * (8 * kSide * 4) + own[kIndex % 2 * 2];
    const std::uint32_t high = tile + step * (8 * kSide * 4) + own[kIndex % 2 * 2 + 1];
    numbers[0] = load_word<kBeyond>(low);
    numbers[kIsA ? 1 : 2] = load_word<kBeyond>(high);
    numbers[kIsA ? 2 : 1] = load_word<kBeyond + kFour>(low);
    numbers[3] = load_word<kBeyond + kFour>(high);
  }
};

#endif  // from compute capability 8.0 on

}  // namespace mend::gemm_tf32
