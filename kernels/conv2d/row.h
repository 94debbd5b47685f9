// One row of outputs: the piece of work that the SIMD rungs of conv2d and of conv_transpose2d share.
// kernels/conv2d/row-inl.h computes it.
#pragma once

#include <cstdint>

#include "kernels/conv2d/variant.h"

namespace mend {

/// Output channels are packed in blocks of this many: one AVX-512 vector, two of AVX2, four of SSE
/// or NEON. The same for every instruction set, so any of them can run what another one packed.
constexpr int kConvBlock = 16;
constexpr int blocks_of(int channels) { return (channels + kConvBlock - 1) / kConvBlock; }

/// What happens to a sum z on its way to y: y = scale · activation(z) + residual.
struct ConvEpilogue {
  Activation activation;
  float scale = 1.0f;
  const float* bias = nullptr;   ///< [K] or null
  const float* slope = nullptr;  ///< [K], [1] or null
  bool slope_is_shared = false;
  const float* residual = nullptr;  ///< of the row's first output, or null
  std::int64_t residual_stride = 0;

  /// The same for the outputs from channel k on.
  ConvEpilogue from_channel(int k) const {
    ConvEpilogue rest = *this;
    if (bias != nullptr) rest.bias += k;
    if (slope != nullptr && !slope_is_shared) rest.slope += k;
    if (residual != nullptr) rest.residual += k;
    return rest;
  }
};

/// The epilogue of a call, without its residual, whose place depends on the output.
template <class T>
ConvEpilogue epilogue_of(const TypedConv2dCall<T>& call) {
  return {call.op.activation, call.op.scale, call.bias.data, call.slope.data,
          call.slope && call.slope.shape.c == 1};
}

/// y[q,k] = epilogue(Σ_{r,s,c} x[r, q·step + s·tap_step + first, c] · weight[k,r,s,c]), q in [0,Q)
struct ConvRow {
  const float* const* x;  ///< R input rows, each its column 0; null: a row of zeros
  std::int64_t x_stride;  ///< between columns
  int W;                  ///< columns of x; those outside are as `mode` says
  int R, S, C;            ///< R = 0: nothing is read, z is the bias
  int step, tap_step, first;
  PaddingMode mode = PaddingMode::kZeros;
  const float* weight;  ///< [blocks_of(K)][R][S][C][kConvBlock], zeros beyond K
  int K;
  ConvEpilogue epilogue;
  float* y;
  std::int64_t y_stride;  ///< between outputs
  int Q;
  float* strip;  ///< scratch for padded columns
};

/// The widest register tile of any instruction set, in outputs.
constexpr int kWidestTile = 24;

/// Working memory of one thread: pointers to R input rows, to R rows of the strip, and the strip.
struct RowScratch {
  const float** rows;
  const float** strip_rows;
  float* strip;
};

/// Bytes for all threads. The strip takes the columns that the widest tile sees, with C channels.
std::int64_t row_scratch_bytes(int R, int S, int C, int step, int tap_step);
/// This thread's part of a scratch of at least row_scratch_bytes.
RowScratch row_scratch(Scratch scratch, int R, int thread);

/// Outputs [q, q + Q) of row p of image n, of all channels: everything but C, K and weight. With neighbouring taps and
/// outputs, x may have the rows of `rows` rows of outputs: scratch is for R + rows - 1.
ConvRow conv2d_row_at(const Conv2dCall& call, int n, int p, int q, int Q, const RowScratch& scratch,
                      int rows = 1);

/// Rows of outputs that depthwise convolutions compute together, at most.
constexpr int kDepthwiseRows = 2;

}  // namespace mend
