// Direct convolution on registers; see row-inl.h for what limits it and how its tile answers that.
// This file packs the weights and deals rows of outputs to the threads.
#include <algorithm>

#include "engine/cache.h"
#include "engine/parallel.h"
#include "kernels/conv2d/row.h"
#include "kernels/conv2d/variant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv2d/cpu_direct.cpp"
#include "kernels/simd.h"
// The rest once for every instruction set.
#include "kernels/conv2d/row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
void conv2d_row(const ConvRow& row, const float** strip_rows) { convolve_row(row, strip_rows); }
}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(conv2d_row);

namespace {

/// Outputs of one task; every instruction set splits them further.
constexpr int kChunk = 64;
/// Outputs of one task along the row: a multiple of every tile's width, at most so many.
constexpr int kSegmentStep = 24;
constexpr int kMostSteps = 20;
/// Weights up to this size stay in L2 beside a few rows of x, so all outputs of a row are computed
/// before the next row; with more, all rows for one chunk of outputs.
constexpr std::int64_t kWeightsInL2 = 1 << 20;

/// A 1x1 convolution looks at no neighbours: all pixels are one row, if they are evenly spaced.
bool is_one_row(const Conv2dCall& call) {
  const op::Conv2d& op = call.op;
  return op.kernel_h == 1 && op.kernel_w == 1 && op.stride == 1 && op.padding_h == 0 &&
         op.padding_w == 0 && call.x.evenly_spaced() && call.y.evenly_spaced() &&
         (!call.residual || call.residual.evenly_spaced());
}

}  // namespace

Shape conv2d_direct_packed_shape(const op::Conv2d& op, const Shape& weight) {
  const int padded = blocks_of(weight.n / op.groups) * kConvBlock;
  return {op.groups, weight.h * weight.w, weight.c, padded};
}

void conv2d_direct_pack(const op::Conv2d& op, View<const float> weight, View<float> packed) {
  const Shape& shape = weight.shape;
  const int K = shape.n / op.groups, blocks = blocks_of(K);
  const std::int64_t block_floats = std::int64_t{shape.h} * shape.w * shape.c * kConvBlock;
  parallel_for(std::int64_t{op.groups} * blocks, [&](std::int64_t task, int) {
    const int group = static_cast<int>(task / blocks), block = static_cast<int>(task % blocks);
    float* to = packed.data + task * block_floats;
    for (int r = 0; r < shape.h; ++r)
      for (int s = 0; s < shape.w; ++s)
        for (int c = 0; c < shape.c; ++c)
          for (int lane = 0; lane < kConvBlock; ++lane) {
            const int k = block * kConvBlock + lane;
            *to++ = k < K ? weight(group * K + k, r, s, c) : 0.0f;
          }
  });
}

std::int64_t conv2d_direct_scratch_bytes(const op::Conv2d& op, const Shapes& in) {
  const int C = in[op::Conv2d::kX].c / op.groups;
  return row_scratch_bytes(op.kernel_h, op.kernel_w, C, op.stride, op.dilation);
}

double conv2d_direct_seconds(const op::Conv2d& op, const Shapes& in) {
  const int K = op.outputs / op.groups;
  const Cost cost = op.cost(in);
  const double padded = cost.flops * blocks_of(K) * kConvBlock / K;
  return padded / (0.85 * NominalMachine::kFlopsPerSecond) +
         cost.bytes / NominalMachine::kBytesPerSecond;
}

namespace {

/// The call with all pixels in one row where that is the same.
Conv2dCall in_one_row(const Conv2dCall& call) {
  if (!is_one_row(call)) return call;
  return {call.op,
          call.x.as_one_row(),
          call.weight,
          call.bias,
          call.slope,
          call.residual ? call.residual.as_one_row() : call.residual,
          call.y.as_one_row(),
          call.scratch};
}

/// Outputs of one task along a row of `width`: what they read of a row of x stays in half of L2 while all
/// output channels pass, and all of `workers` get as much to do.
int segment_of(int width, int channels, int workers) {
  const std::int64_t fit = l2_cache_bytes() / 2 / (channels * std::int64_t{sizeof(float)});
  const auto most = kSegmentStep * std::clamp<std::int64_t>(fit / kSegmentStep, 4, kMostSteps);
  std::int64_t segments = (width + most - 1) / most;
  segments = (segments + workers - 1) / workers * workers;
  const auto even = static_cast<int>((width + segments - 1) / segments);
  return (even + kSegmentStep - 1) / kSegmentStep * kSegmentStep;
}

/// How a call is cut into tasks: lines (segments of rows) times columns (chunks of channels).
struct Direct {
  Direct(const Conv2dCall& original, int workers)
      : call(in_one_row(original)),
        C(call.x.shape.c / call.op.groups),
        K(call.y.shape.c / call.op.groups),
        chunks((K + kChunk - 1) / kChunk),
        segment(
            segment_of(call.y.shape.w, C, call.y.shape.n * call.y.shape.h < workers ? workers : 1)),
        segments((call.y.shape.w + segment - 1) / segment),
        block_floats(std::int64_t{call.op.kernel_h} * call.op.kernel_w * C * kConvBlock) {}

  Conv2dCall call;
  int C, K;      // of one group
  int chunks;    // of kChunk outputs in a group
  int segment;   // outputs in a row
  int segments;  // in a row
  std::int64_t block_floats;

  std::int64_t lines() const { return std::int64_t{call.y.shape.n} * call.y.shape.h * segments; }
  std::int64_t columns() const { return std::int64_t{call.op.groups} * chunks; }
  std::int64_t weight_bytes() const {
    return call.weight.shape.elements() * std::int64_t{sizeof(float)};
  }

  void run(std::int64_t line, std::int64_t column, int thread) const;
};

void Direct::run(std::int64_t line, std::int64_t column, int thread) const {
  const View<float>& y = call.y;
  const int p = static_cast<int>(line / segments % y.shape.h);
  const int n = static_cast<int>(line / segments / y.shape.h);
  const int q = static_cast<int>(line % segments) * segment;
  const int group = static_cast<int>(column / chunks);
  const int k = static_cast<int>(column % chunks) * kChunk;  // in its group

  const RowScratch scratch = row_scratch(call.scratch, call.op.kernel_h, thread);
  ConvRow row = conv2d_row_at(call, n, p, q, std::min(segment, y.shape.w - q), scratch);
  for (int r = 0; r < row.R; ++r) {
    if (scratch.rows[r] != nullptr) scratch.rows[r] += group * C;
  }
  row.C = C;
  row.K = std::min(kChunk, K - k);
  row.weight =
      call.weight.data + (std::int64_t{group} * blocks_of(K) + k / kConvBlock) * block_floats;
  row.epilogue = row.epilogue.from_channel(group * K + k);
  row.y += group * K + k;
  HWY_DYNAMIC_DISPATCH(conv2d_row)(row, scratch.strip_rows);
}

}  // namespace

void conv2d_direct(const Conv2dCall& call) {
  const Direct direct(call, threads());
  const std::int64_t lines = direct.lines(), columns = direct.columns();
  const bool columns_inside = direct.weight_bytes() <= kWeightsInL2;
  parallel_for(lines * columns, [&](std::int64_t task, int thread) {
    if (columns_inside) {
      direct.run(task / columns, task % columns, thread);
    } else {
      direct.run(task % lines, task / lines, thread);
    }
  });
}

int conv2d_direct_chunks(const op::Conv2d& op) {
  return op.groups * ((op.outputs / op.groups + kChunk - 1) / kChunk);
}

void conv2d_direct_on_thread(const Conv2dCall& call, int thread, int part, int parts) {
  const Direct direct(call, 1);
  const std::int64_t first = direct.columns() * part / parts,
                     end = direct.columns() * (part + 1) / parts;
  for (std::int64_t column = first; column < end; ++column) {
    for (std::int64_t line = 0; line < direct.lines(); ++line) direct.run(line, column, thread);
  }
}

}  // namespace mend
#endif
