// Where the numbers of a matrix product lie, and how a tile of them comes into shared memory.
//
// An operand is rows of numbers that lie side by side: of x [pixels, C] or of a [M, K] the depth (what is summed
// over) lies inside a row, kDepthInner; of b [K, N], or where pixels are summed over, each depth is a row.
//
//   kDepthInner   shared [side][32 words of depths], the unit u of 16 bytes of row i at u ^ (i % 8): ldmatrix reads
//                 8 rows; f32, or pairs of 16-bit numbers, which take the places of f32 ones in an mma
//   else          shared [32 depths][side] of f32, unit u of row i at u ^ 2·(i % 4): a fragment is 4 depths x 8
//                 numbers
//
// Both touch all 32 banks once, written and read. What lies outside is zero-filled by cp.async. Rows may start
// anywhere: 60 channels of f16 are 120 bytes, so that copies have 8.
#pragma once

#include "kernels/conv2d/padding_mode.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/gemm_plan.h"
#include "kernels/cuda/tensor_core.cuh"

namespace mend::gemm {

/// The most bytes, up to 16, that all pixels of `view` start at multiples of.
template <class T>
int granule_of(const View<T>& view) {
  int granule = 16;
  const auto divides = [&](std::int64_t numbers) { return numbers * sizeof(T) % granule == 0; };
  while (granule > static_cast<int>(sizeof(T)) &&
         (reinterpret_cast<std::uintptr_t>(view.data) % granule != 0 || !divides(view.w_stride) ||
          !divides(view.h_stride) || !divides(view.n_stride))) {
    granule /= 2;
  }
  return granule;
}

/// The rows of a matrix, one of a batch; or of weights, a piece for each tap.
template <class T>
struct MatrixRows {
  using Number = T;
  const T* data;
  int rows, columns;
  std::int64_t outer_stride, inner_stride;
  int row_stride;
  FastDivider inner;  ///< batch = outer · inner + ...
  int tap_stride;     ///< from the columns of a tap to those of the next
  int granule;        ///< bytes that rows start at multiples of

  struct Cursor {
    const T* first;
    int stride;
    __device__ const T* row(int row) const { return first + std::int64_t{row} * stride; }
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
template <class T>
struct PixelRows {
  using Number = T;
  const T* data;
  int rows, columns;
  std::int64_t n_stride, h_stride;
  int w_stride;
  FastDivider width, height, kernel_w;  ///< of the result; of the kernel
  int H, W;                             ///< of the image
  int stride, dilation, padding_h, padding_w;
  PaddingMode padding_mode;
  PixelWalk walk;
  int granule;       ///< bytes that pixels start at multiples of
  const T* outside;  ///< what padding has; null: zeros

  struct Cursor {
    const PixelRows& x;
    int down, right;  // of the tap, without the result's pixel
    int stride;
    __device__ bool flat() const { return x.walk == PixelWalk::kFlat; }
    /// Null where the pixel is padding by zeros.
    __device__ const T* row(int row) const {
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
      return inside ? pixel(n, h, w) : x.outside;
    }
    __device__ const T* pixel(int n, int h, int w) const {
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

__device__ inline std::uint16_t bits_of(Half number) { return number.bits; }
__device__ inline std::uint16_t bits_of(BFloat16 number) { return number.bits; }
__device__ inline std::int8_t bits_of(std::int8_t number) { return number; }

/// Asks for a unit of 16 bytes, of which `bytes` are there and the others zeros, in copies of kGranule bytes. Copies
/// of less than 4 do not exist: these numbers pass through a register. `odd`: whether the unit's number is; of two
/// halves it then begins with the second, so that the 16 lanes that write 8 bytes at a time touch all banks.
template <int kGranule, int kOffset, class T>
__device__ void copy_unit(std::uint32_t to, const T* from, int bytes, bool odd) {
  if constexpr (kGranule == 8) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int at = i == static_cast<int>(odd) ? 0 : 8;
      copy_async<8, kOffset>(to + at, from + at / sizeof(T), min(max(bytes - at, 0), 8));
    }
  } else if constexpr (kGranule >= 4) {
    for_each_index<16 / kGranule>([&](auto i) {
      constexpr int kAt = i * kGranule;
      copy_async<kGranule, kOffset + kAt>(to, from + kAt / sizeof(T),
                                          min(max(bytes - kAt, 0), kGranule));
    });
  } else {
    for_each_index<16 / kGranule>([&](auto i) {
      constexpr int kAt = i * kGranule;
      store_bits<kOffset + kAt>(to, kAt < bytes ? bits_of(from[i]) : decltype(bits_of(*from)){});
    });
  }
}

/// Which rows and which unit of them a thread copies of a tile.
template <class T, bool kDepthInner, int kSide, int kThreads>
struct Copies {
  static constexpr int kRows = kDepthInner ? kSide : kGemmWords;
  static constexpr int kUnits = (kDepthInner ? kGemmWords : kSide) / 4;
  static constexpr int kStep = kThreads / kUnits;  // rows from one copy of a thread to the next
  static constexpr int kCount = kRows / kStep, kStepBytes = kStep * kUnits * 16;
  static_assert(kRows % kStep == 0 && kStep % (kDepthInner ? 8 : 4) == 0);

  int first, row, column;
  bool odd;               ///< the unit
  int bytes;              ///< of the unit, that rows have
  std::uint32_t address;  ///< of the unit in the first row

  __device__ Copies(int side, int depth, int columns, std::uint32_t to) {
    const int unit = threadIdx.x % kUnits;
    odd = unit % 2 != 0;
    first = threadIdx.x / kUnits;
    row = (kDepthInner ? side : depth) + first;
    column = (kDepthInner ? depth : side) + unit * (16 / static_cast<int>(sizeof(T)));
    bytes = min(max((columns - column) * static_cast<int>(sizeof(T)), 0), 16);
    // The same unit in all rows of the thread, as kStep is a multiple of the swizzle's period.
    const std::uint32_t swizzled = kDepthInner ? unit ^ (first & 7) : unit ^ ((first & 3) << 1);
    address = to + first * (kUnits * 16) + (swizzled << 4);
  }

  template <int kGranule, class Operand>
  __device__ void ask(const Operand& operand, const typename Operand::Cursor& cursor) const {
    if constexpr (kGranule >= 8) {
      if (cursor.flat() && row - first + kRows <= operand.rows) {
        // Four instructions a copy.
        const T* from = bytes > 0 ? cursor.row(row) + column : operand.data;
        const std::int64_t step = bytes > 0 ? std::int64_t{kStep} * cursor.stride : 0;
        for_each_index<kCount>([&](auto i) {
          copy_unit<kGranule, i * kStepBytes>(address, from, bytes, odd);
          from += step;
        });
        return;
      }
    }
#pragma unroll 1
    for (int i = 0; i < kCount; ++i) {
      const T* from = nullptr;
      if (row + i * kStep < operand.rows && bytes > 0) from = cursor.row(row + i * kStep);
      copy_unit<kGranule, 0>(address + i * kStepBytes,
                             from != nullptr ? from + column : operand.data,
                             from != nullptr ? bytes : 0, odd);
    }
  }
};

/// Asks for kSide numbers of the other extent from `side` on, gemm_depth of the depth from `depth` on.
template <bool kDepthInner, int kSide, int kThreads, class Operand>
__device__ void load_tile(const Operand& operand, const typename Operand::Cursor& cursor, int side,
                          int depth, std::uint32_t to) {
  using T = typename Operand::Number;
  static_assert(kDepthInner || sizeof(T) == 4);
  const Copies<T, kDepthInner, kSide, kThreads> copies(side, depth, operand.columns, to);
  if (operand.granule == 16) return copies.template ask<16>(operand, cursor);
  if constexpr (sizeof(T) < 4) {
    if (operand.granule == 8) return copies.template ask<8>(operand, cursor);
    if (operand.granule < 4) return copies.template ask<sizeof(T)>(operand, cursor);
  }
  copies.template ask<4>(operand, cursor);
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
    // Matrices in the order of the registers: for A the other 8 rows come first, for B the other 4 words.
    const int other = kIsA ? lane / 8 % 2 : lane / 16;
    const int unit = kIsA ? lane / 16 : lane / 8 % 2;
    row = (first + other * 8 + lane % 8) * (kGemmWords * 4);
    swizzle = (unit ^ (lane % 8)) << 4;
  }
  /// Rows [kIndex·16, + 16) of the warp's, step `step` of 8 words.
  template <int kIndex>
  __device__ void load(std::uint32_t (&numbers)[4], std::uint32_t tile, int step) const {
    load_matrices<kIndex * 16 * kGemmWords * 4>(numbers, tile + row + (swizzle ^ (step << 5)));
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

}  // namespace mend::gemm
