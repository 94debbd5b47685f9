// How the sums of a convolution as a matrix product leave: y = scale · activation(z) + residual, from the registers.
#pragma once

#include "kernels/conv2d/cuda.h"
#include "kernels/conv2d/cuda_pixel_rows.cuh"
#include "kernels/conv2d/cuda_slope.cuh"
#include "kernels/cuda/gemm.cuh"

namespace mend::gemm {

/// A tensor whose pixels are the rows of the product.
template <class T>
struct PixelPlaces {
  T* data;
  std::int64_t n_stride, h_stride;
  int w_stride;
  bool flat;

  __device__ T* pixel(int row, const FastDivider& width, const FastDivider& height) const {
    if (flat) return data + std::int64_t{row} * w_stride;
    const auto [line, q] = width(row);
    const auto [n, p] = height(line);
    return data + n * n_stride + p * h_stride + std::int64_t{q} * w_stride;
  }
};

template <class T>
PixelPlaces<T> places_of(const View<T>& view) {
  return {view.data, view.n_stride, view.h_stride, static_cast<int>(view.w_stride), is_flat(view)};
}

/// Each sum begins with of(its column).
template <class Tile, int kRun, class Sum, class Of>
__device__ void start_sums(const Share& share, Sum (&sum)[Tile::kRows][Tile::kColumns][4],
                           const Of& of) {
#pragma unroll
  for (int j = 0; j < Tile::kColumns; ++j) {
    const int column = share.n + sum_column<kRun>(j);
    const Sum even = of(column), odd = of(column + 1);
#pragma unroll
    for (int i = 0; i < Tile::kRows; ++i) {
      sum[i][j][0] = sum[i][j][2] = even;
      sum[i][j][1] = sum[i][j][3] = odd;
    }
  }
}

/// The long formulas: one copy of them for each row of sums, in a loop over what the lane has put into its part
/// of shared memory. All warps have used up that slot.
template <class Tile>
__device__ void activate_sums(const Activation& activation,
                              float (&sum)[Tile::kRows][Tile::kColumns][4], float* own) {
  __syncthreads();
  constexpr int kCount = Tile::kColumns * 4;
  static_assert(kCount * 32 * sizeof(float) <= Tile::kBytesOfWarp);
#pragma unroll
  for (int i = 0; i < Tile::kRows; ++i) {
#pragma unroll
    for (int e = 0; e < kCount; ++e) own[e * 32] = sum[i][e / 4][e % 4];
#pragma unroll 1
    for (int e = 0; e < kCount; ++e) own[e * 32] = activate(activation, own[e * 32], 0);
#pragma unroll
    for (int e = 0; e < kCount; ++e) sum[i][e / 4][e % 4] = own[e * 32];
  }
}

/// How numbers of y are written: rounded to T.
template <class T>
struct RoundedTo {
  __device__ T operator()(float value, int) const { return from_float<T>(value); }
};

/// Rounding: what makes a T of a number of y and its channel.
template <class T, class Residual = T, class Rounding = RoundedTo<T>>
struct ConvolutionEpilogue {
  static constexpr int kRun = sizeof(T) == 4 ? 2 : 4;
  Rounding rounding;
  Activation activation;
  float scale;
  bool shared_slope;
  const float *bias, *slope;
  PixelPlaces<T> y;
  PixelPlaces<const Residual> residual;
  FastDivider width, height;
  int rows, columns;
  bool runs;  ///< pixels start at multiples of a Run's bytes, and have whole ones

  /// Of an image y, for the rows of the product that PixelRows makes of x.
  template <class Rows>
  void write_to(const View<T>& to, const View<const Residual>& added, const Rows& a) {
    y = places_of(to);
    residual = places_of(added);
    width = a.width;
    height = a.height;
    rows = a.rows;
    columns = to.shape.c;
    runs = mend::runs<kRun>(to) && mend::runs<kRun>(added) && columns % kRun == 0;
  }
  void set(const CudaConv2dParameters& op, const float* its_bias, const float* its_slope) {
    activation = op.activation;
    scale = op.scale;
    shared_slope = op.shared_slope;
    bias = its_bias;
    slope = its_slope;
  }

  /// Channel k of a vector, if there is one; 0 else.
  __device__ float of(const float* vector, int k) const {
    return vector != nullptr && k < columns ? vector[k] : 0;
  }

  template <class Tile>
  __device__ void begin(const Share& share, float (&sum)[Tile::kRows][Tile::kColumns][4]) const {
    start_sums<Tile, kRun>(share, sum, [&](int k) { return of(bias, k); });
  }

  template <class Tile>
  __device__ void finish(const Share& share, float (&sum)[Tile::kRows][Tile::kColumns][4],
                         float* own) const {
    if (!is_a_slope(activation.kind)) activate_sums<Tile>(activation, sum, own);
    const bool plain = activation.kind == ActivationKind::kNone && scale == 1;
    if (!runs) return store<Tile, false, false>(share, sum);
    plain ? store<Tile, true, true>(share, sum) : store<Tile, false, true>(share, sum);
  }

 private:
  /// kPlain: y = z + residual.
  template <class Tile, bool kPlain, bool kRuns>
  __device__ void store(const Share& share,
                        const float (&sum)[Tile::kRows][Tile::kColumns][4]) const {
    constexpr int kMma = kRun / 2, kRunsOfRow = Tile::kColumns / kMma;  // mma of a run
    // The factors of negative sums; those of PReLU come from L1 with each row, for registers' sake.
    const bool each = activation.kind == ActivationKind::kPrelu && !shared_slope;
    float all = 1;
    if (activation.kind == ActivationKind::kLeakyRelu) all = activation.parameter;
    if (activation.kind == ActivationKind::kPrelu && shared_slope) all = slope[0];
    const bool cuts = activation.kind == ActivationKind::kRelu, adds = residual.data != nullptr;
    const auto finished = [&](float z, int k, float rest) {
      if constexpr (kPlain) return z + rest;
      const float factor = each ? of(slope, k) : all;
      return fmaf(scale, z < 0 ? (cuts ? 0 : factor * z) : z, rest);
    };
#pragma unroll
    for (int i = 0; i < 2 * Tile::kRows; ++i) {
      const int m = share.m + i * 8;
      if (m >= rows) continue;
      Run<Residual, kRun> rest[kRunsOfRow] = {};  // all are asked for before the first is needed
      if (adds) {
        const Residual* const from = residual.pixel(m, width, height);
#pragma unroll
        for (int j = 0; j < kRunsOfRow; ++j) {
          const int k = share.n + sum_column<kRun>(j * kMma);
          if (k < columns) rest[j] = load_run<Residual, kRun>(from + k, kRuns, columns - k);
        }
      }
      T* const to = y.pixel(m, width, height);
#pragma unroll
      for (int j = 0; j < kRunsOfRow; ++j) {
        const int k = share.n + sum_column<kRun>(j * kMma);
        if (k >= columns) continue;
        Run<T, kRun> run;
#pragma unroll
        for (int e = 0; e < kRun; ++e) {
          const float z = sum[i / 2][j * kMma + e / 2][i % 2 * 2 + e % 2];
          run.values[e] = rounding(finished(z, k + e, as_float(rest[j].values[e])), k + e);
        }
        store_run(to + k, run, kRuns, columns - k);
      }
    }
  }
};

}  // namespace mend::gemm
