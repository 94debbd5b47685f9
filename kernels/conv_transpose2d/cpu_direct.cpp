// Transposed convolution as stride² small ordinary ones.
//
// What limits the formula as it is written: every input pixel scatters into outputs that others add
// to as well. Gathered instead, the outputs with p ≡ i and q ≡ j (mod stride, after the padding) form
// a phase: they all use the same taps, r = i, i + stride, ... and s = j, j + stride, ..., and
// neighbours in a phase see neighbouring input pixels. So each phase of a row is one row of a dense
// convolution with stride 1, for which kernels/conv2d/row-inl.h has the register tile.
//
// Within a phase, tap t of T reads row h = base − (T−1) + t, so r falls as t grows: the weights are
// packed in that order, [group][phase i][phase j][k/16][t][u][c][k%16], zeros beyond K.
//
// Not built yet: with one output channel (FSRCNN's last layer) 1 of 16 lanes counts; the phases
// could be the lanes.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/conv2d/row.h"
#include "kernels/conv_transpose2d/variant.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv_transpose2d/cpu_direct.cpp"
#include "kernels/simd.h"
// The rest once for every instruction set.
#include "kernels/conv2d/row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
void conv_transpose2d_row(const ConvRow& row, const float** strip_rows) {
  convolve_row(row, strip_rows);
}
}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(conv_transpose2d_row);

namespace {

/// Output channels of one task, and the weights' size up to which they stay in L2; see conv2d/direct.
constexpr int kChunk = 64;
constexpr std::int64_t kWeightsInL2 = 1 << 20;

/// Taps of phase `phase` along one side: how many of phase, phase + stride, ... are below kernel.
int taps_of(int phase, int kernel, int stride) {
  return phase < kernel ? (kernel - phase + stride - 1) / stride : 0;
}

/// Taps of all phases before `phase`.
int taps_before(int phase, int kernel, int stride) {
  int taps = 0;
  for (int i = 0; i < phase; ++i) taps += taps_of(i, kernel, stride);
  return taps;
}

/// Where the weights of phase (i, j) start among the R·S taps of a group.
int first_tap(const op::ConvTranspose2d& op, int i, int j) {
  return taps_before(i, op.kernel_h, op.stride) * op.kernel_w +
         taps_of(i, op.kernel_h, op.stride) * taps_before(j, op.kernel_w, op.stride);
}

void pack_phase(const op::ConvTranspose2d& op, View<const float> weight, int group, int i, int j,
                float* to) {
  const int K = weight.shape.n / op.groups;
  const int T = taps_of(i, op.kernel_h, op.stride), U = taps_of(j, op.kernel_w, op.stride);
  for (int block = 0; block < blocks_of(K); ++block)
    for (int t = 0; t < T; ++t)
      for (int u = 0; u < U; ++u) {
        const int r = i + (T - 1 - t) * op.stride, s = j + (U - 1 - u) * op.stride;
        for (int c = 0; c < weight.shape.c; ++c)
          for (int lane = 0; lane < kConvBlock; ++lane) {
            const int k = block * kConvBlock + lane;
            *to++ = k < K ? weight(group * K + k, r, s, c) : 0.0f;
          }
      }
}

}  // namespace

double conv_transpose2d_direct_seconds(const op::ConvTranspose2d& op, const Shapes& in) {
  const Cost cost = op.cost(in);
  return cost.flops / (0.5 * NominalMachine::kFlopsPerSecond) +
         cost.bytes / NominalMachine::kBytesPerSecond;
}

Shape conv_transpose2d_direct_packed_shape(const op::ConvTranspose2d& op, const Shape& weight) {
  const int padded = blocks_of(weight.n / op.groups) * kConvBlock;
  return {op.groups, weight.h * weight.w, weight.c, padded};
}

void conv_transpose2d_direct_pack(const op::ConvTranspose2d& op, View<const float> weight,
                                  View<float> packed) {
  const std::int64_t tap_floats = std::int64_t{packed.shape.w} * packed.shape.c;
  for (int group = 0; group < op.groups; ++group)
    for (int i = 0; i < op.stride; ++i)
      for (int j = 0; j < op.stride; ++j) {
        pack_phase(op, weight, group, i, j,
                   packed.pixel(group, 0, 0) + first_tap(op, i, j) * tap_floats);
      }
}

std::int64_t conv_transpose2d_direct_scratch_bytes(const op::ConvTranspose2d& op,
                                                   const Shapes& in) {
  const int C = in[op::ConvTranspose2d::kX].c / op.groups;
  return row_scratch_bytes(taps_of(0, op.kernel_h, op.stride), taps_of(0, op.kernel_w, op.stride),
                           C, 1, 1);
}

namespace {

/// One task: row p of image n, outputs [k, k + kChunk) of a group.
struct Task {
  int n, p, group, k;
};

/// The part of the task's row that belongs to column phase j.
void run_phase(const ConvTranspose2dCall& call, const Task& task, int j, ConvRow row,
               const RowScratch& scratch) {
  const op::ConvTranspose2d& op = call.op;
  const int q = ((j - op.padding) % op.stride + op.stride) % op.stride;  // the phase's first output
  if (q >= call.y.shape.w) return;
  const int i = (task.p + op.padding) % op.stride;
  const int K = call.y.shape.c / op.groups;
  row.S = taps_of(j, op.kernel_w, op.stride);
  if (row.S == 0) row.R = 0;
  row.first = (q + op.padding - j) / op.stride - (row.S - 1);
  row.Q = (call.y.shape.w - 1 - q) / op.stride + 1;
  const std::int64_t tap_floats = std::int64_t{row.C} * kConvBlock;
  const std::int64_t block_floats = row.R * row.S * tap_floats;
  row.weight = call.weight.pixel(task.group, 0, 0) +
               first_tap(op, i, j) * tap_floats * blocks_of(K) + task.k / kConvBlock * block_floats;
  row.y = call.y.pixel(task.n, task.p, q) + task.group * K + task.k;
  HWY_DYNAMIC_DISPATCH(conv_transpose2d_row)(row, scratch.strip_rows);
}

void run_task(const ConvTranspose2dCall& call, const Task& task, int thread) {
  const op::ConvTranspose2d& op = call.op;
  const int C = call.x.shape.c / op.groups, K = call.y.shape.c / op.groups;
  const RowScratch scratch = row_scratch(call.scratch, taps_of(0, op.kernel_h, op.stride), thread);

  const int i = (task.p + op.padding) % op.stride;
  const int base = (task.p + op.padding - i) / op.stride;
  ConvRow row = {};
  row.R = taps_of(i, op.kernel_h, op.stride);
  for (int t = 0; t < row.R; ++t) {
    const int h = base - (row.R - 1) + t;
    const bool outside = h < 0 || h >= call.x.shape.h;
    scratch.rows[t] = outside ? nullptr : call.x.pixel(task.n, h, 0) + task.group * C;
  }
  row.x = scratch.rows;
  row.x_stride = call.x.w_stride;
  row.W = call.x.shape.w;
  row.C = C;
  row.step = row.tap_step = 1;
  row.K = std::min(kChunk, K - task.k);
  row.epilogue = {op.activation, 1.0f, call.bias.data, call.slope.data,
                  call.slope && call.slope.shape.c == 1};
  row.epilogue = row.epilogue.from_channel(task.group * K + task.k);
  row.y_stride = op.stride * call.y.w_stride;
  row.strip = scratch.strip;
  for (int j = 0; j < op.stride; ++j) run_phase(call, task, j, row, scratch);
}

}  // namespace

void conv_transpose2d_direct(const ConvTranspose2dCall& call) {
  const Shape& y = call.y.shape;
  const int chunks = (y.c / call.op.groups + kChunk - 1) / kChunk;
  const std::int64_t lines = std::int64_t{y.n} * y.h;
  const std::int64_t columns = std::int64_t{call.op.groups} * chunks;
  const bool columns_inside =
      call.weight.shape.elements() * std::int64_t{sizeof(float)} <= kWeightsInL2;
  parallel_for(lines * columns, [&](std::int64_t task, int thread) {
    const std::int64_t line = columns_inside ? task / columns : task % lines;
    const std::int64_t column = columns_inside ? task % columns : task / lines;
    run_task(call,
             {static_cast<int>(line / y.h), static_cast<int>(line % y.h),
              static_cast<int>(column / chunks), static_cast<int>(column % chunks) * kChunk},
             thread);
  });
}

}  // namespace mend
#endif
