// The whole block for a strip of columns at a time, two rows at a time down the image: norm and expansion of the
// next rows, depthwise convolution and gate of the rows above them, projection of those. Hidden features live
// in a ring of rows, as many as the depthwise convolution sees.
//
//   96 -> 510 channels, 128 columns: four rows of hidden features are 1040 KB, x 98 KB and the gated rows
//   262 KB; the weights, 196 and 98 KB, pass once for two rows, in the order in which they are read.
//
// Strips so narrow that the ring stays in a 512 KB L2 took 1.1 times as long (with a ring of three rows): two columns
// of each are computed twice, and rows this long come from L3 as fast as they are needed. What a strip
// saves is what single steps write and read: the gate's halves meet in scratch of their own, and only their product leaves.
// All parts compute an output the same way wherever it lies, so neither strips nor bands of rows show in
// the result.
#include <algorithm>
#include <type_traits>

#include "engine/parallel.h"
#include "kernels/conv2d/row.h"
#include "kernels/conv2d/variant.h"
#include "kernels/convert/convert.h"
#include "kernels/inverted_residual/inverted_residual.h"
#include "kernels/normalization/variants.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/inverted_residual/cpu_strips.cpp"
#include "kernels/simd.h"
// The rest once for every instruction set.
#include "kernels/activation/gate-inl.h"
#include "kernels/conv2d/depthwise_3x3-inl.h"

#ifndef MEND_INVERTED_RESIDUAL_CPU_STRIPS_ONCE
#define MEND_INVERTED_RESIDUAL_CPU_STRIPS_ONCE
namespace mend {

/// Channels of each half that are convolved before they meet.
constexpr int kGateChannels = 64;

/// Rows of gated outputs, kDepthwiseRows at most. `conv` is their depthwise convolution, its y unused.
struct GatedRows {
  const ConvRow& conv;
  int rows;
  const Activation& gate;
  float* halves;  // scratch, 2 x rows x conv.Q x kGateChannels
  float* y;
  std::int64_t y_stride, y_row;
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

void plain_rows(const ConvRow& row, int rows, std::int64_t y_row) {
  depthwise_3x3_rows(row, rows, y_row, 0);
}

void gated_rows(const GatedRows& g) {
  const int half = g.conv.K / 2;
  const std::int64_t row = std::int64_t{g.conv.Q} * kGateChannels;
  float* const z = g.halves + g.rows * row;
  for (int begin = 0; begin < half; begin += kGateChannels) {
    // A short rest goes with vectors that reach back into the channels before.
    const int end = std::min(begin + kGateChannels, half);
    const int channels = std::max(end - begin, kDepthwiseLanes), first = end - channels;
    const auto sum = [&](int from, float* to) HWY_ATTR {
      const TileConstants<kGateChannels> constants(g.conv.epilogue.from_channel(from), channels);
      sum_3x3_rows(g.conv, g.rows, {to - from, kGateChannels, row}, from, from + channels,
                   constants.bias - from, false);
    };
    sum(first, g.halves);
    sum(half + first, z);
    for (int o = 0; o < g.rows; ++o) {
      with_activation(g.gate.kind, GatePixels{g.halves + o * row, kGateChannels, z + o * row,
                                              kGateChannels, g.y + o * g.y_row + first, g.y_stride,
                                              g.conv.Q, channels, g.gate.parameter});
    }
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(plain_rows);
HWY_EXPORT(gated_rows);

namespace {

constexpr std::int64_t kLineFloats = 16;
/// Columns of a strip.
constexpr int kMostColumns = 160;
/// Pixels that a weight, once fetched, should serve: narrow strips take more rows at a time.
constexpr int kLeastPixels = 128;
/// Rows of a task: at its ends two hidden rows are computed twice. Fewer where threads would have none.
constexpr int kGoodBand = 16, kLeastBand = 4;

std::int64_t whole_lines(std::int64_t floats) {
  return (floats + kLineFloats - 1) / kLineFloats * kLineFloats;
}

/// Floats between the pixels of a buffer in scratch: whole cache lines, an odd number of them, so that
/// the pixels of a row fall into different sets of L1.
std::int64_t pixel_floats(int channels) {
  const std::int64_t lines = (channels + kLineFloats - 1) / kLineFloats;
  return (lines | 1) * kLineFloats;
}

/// How the image is cut, and one thread's buffers in floats.
struct Strips {
  Strips(const op::InvertedResidual& op, const Shape& x);

  int columns;  // of a strip's outputs
  int strips;
  int rows;   // that are computed at a time
  int slots;  // rows of the ring
  int band;   // rows of a task
  int bands;
  std::int64_t hidden_pixel, gated_pixel;
  std::int64_t normal, ring, gated, halves;
  std::int64_t wide_x, wide_y;  // f32 of a row of x and of the rows of y, where these are narrow

  int wide() const { return columns + 2; }
  std::int64_t floats() const { return normal + ring + gated + halves + wide_x + wide_y; }
};

Strips::Strips(const op::InvertedResidual& op, const Shape& x)
    : hidden_pixel(pixel_floats(op.hidden())), gated_pixel(pixel_floats(op.gated())) {
  strips = (x.w + kMostColumns - 1) / kMostColumns;
  columns = (x.w + strips - 1) / strips;
  rows = std::min(x.h, std::max(kDepthwiseRows, kLeastPixels / wide()));
  slots = rows + 2;
  const int good = std::min(threads() / strips, x.h / kGoodBand);
  const int least = std::min((threads() + strips - 1) / strips, x.h / kLeastBand);
  bands = std::max({1, good, least});
  band = (x.h + bands - 1) / bands;
  normal = whole_lines(std::int64_t{slots} * wide() * x.c);
  ring = std::int64_t{slots} * wide() * hidden_pixel;
  gated = op.projects ? std::int64_t{rows} * columns * gated_pixel : 0;
  halves = op.gates ? std::int64_t{2} * kDepthwiseRows * columns * kGateChannels : 0;
  const bool is_narrow = op.type != DType::kF32;
  const int outputs = op.projects ? op.project.outputs : op.gated();
  wide_x = is_narrow ? whole_lines(std::int64_t{wide()} * x.c) : 0;
  wide_y = is_narrow ? whole_lines(std::int64_t{rows} * columns * outputs) : 0;
}

/// One strip of one band of images of T.
template <class T>
class Task {
 public:
  Task(const TypedInvertedResidualCall<T>& call, const Strips& plan, std::int64_t number,
       int thread);
  void run();

 private:
  void expand_to(int end);
  void expand(int row, int count);
  void convolve(int row, int count, View<float> to);
  void project(int count, View<const float> residual, View<float> y);
  void compute(int row, int end, View<const float> residual, View<float> y);
  View<const float> wide_row(int row);
  /// The strip's pixels in rows [row, row + count) of an image like y.
  template <class Number>
  View<Number> outputs(View<Number> image, int row, int count) const {
    if (!image) return image;
    return {image.pixel(n_, row, column_),
            {1, count, columns_, image.shape.c},
            image.n_stride,
            image.h_stride,
            image.w_stride};
  }

  const TypedInvertedResidualCall<T>& call_;
  const op::InvertedResidual& op_;
  const Strips& plan_;
  int thread_;
  int n_, first_row_, end_row_, column_, columns_;
  int left_, wide_;  // hidden columns
  int expanded_;     // hidden rows before this one are in the ring
  float *normal_, *ring_, *gated_, *halves_, *wide_x_, *wide_y_;
  Scratch rest_;  // of all threads
};

template <class T>
Task<T>::Task(const TypedInvertedResidualCall<T>& call, const Strips& plan, std::int64_t number,
              int thread)
    : call_(call), op_(call.op), plan_(plan), thread_(thread) {
  const Shape& x = call.x.shape;
  column_ = static_cast<int>(number % plan.strips) * plan.columns;
  columns_ = std::min(plan.columns, x.w - column_);
  first_row_ = static_cast<int>(number / plan.strips % plan.bands) * plan.band;
  end_row_ = std::min(first_row_ + plan.band, x.h);
  n_ = static_cast<int>(number / plan.strips / plan.bands);
  left_ = std::max(0, column_ - 1);
  wide_ = std::min(x.w, column_ + columns_ + 1) - left_;
  expanded_ = std::max(0, first_row_ - 1);
  float* memory = reinterpret_cast<float*>(call.scratch.data());
  normal_ = memory + thread * plan.floats();
  ring_ = normal_ + plan.normal;
  gated_ = ring_ + plan.ring;
  halves_ = gated_ + plan.gated;
  wide_x_ = halves_ + plan.halves;
  wide_y_ = wide_x_ + plan.wide_x;
  rest_ = call.scratch.subspan(static_cast<std::size_t>(threads() * plan.floats()) * sizeof(float));
}

/// What the strip's hidden columns of row `row` are made of.
template <class T>
View<const float> Task<T>::wide_row(int row) {
  const View<const T> x{call_.x.pixel(n_, row, left_),
                        {1, 1, wide_, call_.x.shape.c},
                        call_.x.h_stride,
                        call_.x.h_stride,
                        call_.x.w_stride};
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    const std::int64_t floats = std::int64_t{wide_} * x.shape.c;
    const View<float> wide{wide_x_, x.shape, floats, floats, x.shape.c};
    widen_pixels(x, wide);
    return wide;
  }
}

/// Norm and expansion of hidden rows [row, row + count), which lie side by side in the ring.
template <class T>
void Task<T>::expand(int row, int count) {
  const int C = call_.x.shape.c;
  const std::int64_t normal_row = std::int64_t{wide_} * C;
  const std::int64_t hidden_row = wide_ * plan_.hidden_pixel;
  const auto measure =
      op_.norm.subtract_mean ? PixelMeasure::kDeviation : PixelMeasure::kDeviationOnly;
  for (int r = 0; r < count; ++r) {
    const View<float> y{normal_ + r * normal_row, {1, 1, wide_, C}, normal_row, normal_row, C};
    pixel_norm_simd_on_thread(measure, op_.norm.eps, wide_row(row + r), call_.gamma, call_.beta, y);
  }
  const View<const float> normal{normal_, {1, count, wide_, C}, count * normal_row, normal_row, C};
  const View<float> hidden{ring_ + row % plan_.slots * hidden_row,
                           {1, count, wide_, op_.hidden()},
                           count * hidden_row,
                           hidden_row,
                           plan_.hidden_pixel};
  conv2d_direct_on_thread(
      {op_.expand, normal, call_.expand_weight, call_.expand_bias, {}, {}, hidden, rest_}, thread_);
}

/// Expands what is missing of the hidden rows before `end`.
template <class T>
void Task<T>::expand_to(int end) {
  while (expanded_ < end) {
    const int count = std::min(end - expanded_, plan_.slots - expanded_ % plan_.slots);
    expand(expanded_, count);
    expanded_ += count;
  }
}

/// Depthwise convolution and gate of rows [row, row + count), kDepthwiseRows at most.
template <class T>
void Task<T>::convolve(int row, int count, View<float> to) {
  const std::int64_t hidden_row = wide_ * plan_.hidden_pixel;
  const float* taps[kDepthwiseRows + 2];
  for (int r = 0; r < count + 2; ++r) {
    const int h = row + r - 1;
    const bool inside = h >= 0 && h < call_.x.shape.h;
    taps[r] = inside ? ring_ + h % plan_.slots * hidden_row : nullptr;
  }
  ConvRow conv = {};
  conv.x = taps;
  conv.x_stride = plan_.hidden_pixel;
  conv.W = wide_;
  conv.R = conv.S = 3;
  conv.C = 1;
  conv.step = conv.tap_step = 1;
  conv.first = column_ - 1 - left_;
  conv.weight = call_.depthwise_weight.data;
  conv.K = op_.hidden();
  conv.epilogue = {op_.depthwise.activation, 1.0f, call_.depthwise_bias.data};
  conv.y = to.data;
  conv.y_stride = to.w_stride;
  conv.Q = columns_;
  if (op_.gates) {
    HWY_DYNAMIC_DISPATCH(gated_rows)
    ({conv, count, op_.gate, halves_, to.data, to.w_stride, to.h_stride});
  } else {
    HWY_DYNAMIC_DISPATCH(plain_rows)(conv, count, to.h_stride);
  }
}

/// Projects `count` gated rows.
template <class T>
void Task<T>::project(int count, View<const float> residual, View<float> y) {
  const std::int64_t gated_row = columns_ * plan_.gated_pixel;
  const View<const float> gated{
      gated_, {1, count, columns_, op_.gated()}, count * gated_row, gated_row, plan_.gated_pixel};
  conv2d_direct_on_thread(
      {op_.project, gated, call_.project_weight, call_.project_bias, {}, residual, y, rest_},
      thread_);
}

/// Rows [row, end) of y, which the views begin with.
template <class T>
void Task<T>::compute(int row, int end, View<const float> residual, View<float> y) {
  expand_to(std::min(end + 1, call_.x.shape.h));
  const std::int64_t gated_row = columns_ * plan_.gated_pixel;
  const View<float> to =
      op_.projects ? View<float>{gated_, {}, 0, gated_row, plan_.gated_pixel} : y;
  for (int r = row; r < end; r += kDepthwiseRows) {
    View<float> line = to;
    line.data += (r - row) * to.h_stride;
    convolve(r, std::min(kDepthwiseRows, end - r), line);
  }
  if (op_.projects) project(end - row, residual, y);
}

template <class T>
void Task<T>::run() {
  for (int row = first_row_; row < end_row_; row += plan_.rows) {
    const int end = std::min(row + plan_.rows, end_row_), count = end - row;
    const View<T> y = outputs(call_.y, row, count);
    const View<const T> residual = outputs(call_.residual, row, count);
    if constexpr (std::is_same_v<T, float>) {
      compute(row, end, residual, y);
    } else {
      const std::int64_t floats = std::int64_t{columns_} * y.shape.c;
      const View<float> wide{wide_y_, y.shape, count * floats, floats, y.shape.c};
      compute(row, end, {}, wide);
      narrow_pixels(wide, residual, y);
    }
  }
}

template <class T>
void run_strips(const TypedInvertedResidualCall<T>& call) {
  const Strips plan(call.op, call.x.shape);
  parallel_for(std::int64_t{call.x.shape.n} * plan.bands * plan.strips,
               [&](std::int64_t number, int thread) { Task<T>(call, plan, number, thread).run(); });
}

}  // namespace

std::string inverted_residual_strips_refuses(const op::InvertedResidual& op, const Shapes&) {
  const int least = 16 * (op.gates ? 2 : 1);
  return op.hidden() < least ? "needs a vector of 16 hidden channels, in each half of a gate" : "";
}

std::int64_t inverted_residual_strips_scratch(const op::InvertedResidual& op, const Shapes& in) {
  const Shape& x = in[op::InvertedResidual::kX];
  const Shapes hidden = {{x.n, x.h, x.w, op.gated()}};
  return threads() * Strips(op, x).floats() * std::int64_t{sizeof(float)} +
         std::max(conv2d_direct_scratch_bytes(op.expand, in),
                  conv2d_direct_scratch_bytes(op.project, hidden));
}

void inverted_residual_strips(const InvertedResidualCall& call) { run_strips(call); }
void inverted_residual_strips_f16(const TypedInvertedResidualCall<Half>& call) { run_strips(call); }
void inverted_residual_strips_bf16(const TypedInvertedResidualCall<BFloat16>& call) {
  run_strips(call);
}

}  // namespace mend
#endif
