#include "kernels/grid_sample/gradient.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "engine/parallel.h"
#include "kernels/cuda/memory_seconds.h"
#include "kernels/grid_sample/rungs.h"

namespace mend {
namespace {

/// What one output reads along one axis: pixels, their weights, and how the weights change with the
/// grid's number.
struct AxisTaps {
  int pixel[4];
  double weight[4], slope[4];
  int count = 0;

  void add(int index, double its_weight, double its_slope) {
    pixel[count] = index;
    weight[count] = its_weight;
    slope[count++] = its_slope;
  }
};

/// Keys' cubic kernel differentiated, a = −0.75.
double cubic_slope(double t) {
  constexpr double a = -0.75;
  const double sign = t < 0 ? -1 : 1;
  t = std::abs(t);
  if (t <= 1) return sign * (3 * (a + 2) * t - 2 * (a + 3)) * t;
  if (t < 2) return sign * ((3 * a * t - 10 * a) * t + 8 * a);
  return 0;
}

/// d(padded position)/d(position): 0 where it was moved to an edge, −1 where the image is mirrored.
double padded_slope(double position, int extent, const op::GridSample& op) {
  if (op.padding == SamplePadding::kZeros) return 1;
  constexpr double kStep = 1e-6;  // the position moves along straight lines
  const double moved = padded_position(position + kStep, extent, op);
  return std::round((moved - padded_position(position, extent, op)) / kStep);
}

AxisTaps axis_taps(const op::GridSample& op, float normalised, int extent) {
  AxisTaps taps;
  const double raw = pixel_position(normalised, extent, op.align_corners);
  const double per_unit = (op.align_corners ? extent - 1 : extent) / 2.0;
  if (!std::isfinite(raw)) return taps;
  const auto inside = [&](double index) { return index >= 0 && index <= extent - 1; };
  if (op.mode == SampleMode::kBicubic) {
    const double first = std::floor(raw);
    for (int i = -1; i <= 2; ++i) {
      const double index = padded_position(first + i, extent, op);
      const double t = raw - first - i;
      if (inside(index)) {
        taps.add(static_cast<int>(index), cubic_kernel(t), cubic_slope(t) * per_unit);
      }
    }
    return taps;
  }
  const double position = padded_position(raw, extent, op);
  const double slope = padded_slope(raw, extent, op) * per_unit;
  if (op.mode == SampleMode::kNearest) {
    const double index = std::nearbyint(position);
    if (inside(index)) taps.add(static_cast<int>(index), 1, 0);
    return taps;
  }
  const double first = std::floor(position), fraction = position - first;
  if (inside(first)) taps.add(static_cast<int>(first), 1 - fraction, -slope);
  if (inside(first + 1)) taps.add(static_cast<int>(first) + 1, fraction, slope);
  return taps;
}

/// Outputs share pixels, so one task has a whole image, and 16 channels of it.
void image_gradient_reference(const op::GridSampleImageGradient& op, View<const float> grid,
                              View<const float> dy, View<float> y) {
  constexpr int kBlock = 16;
  const int C = y.shape.c, blocks = (C + kBlock - 1) / kBlock;
  parallel_for(std::int64_t{y.shape.n} * blocks, [&](std::int64_t task, int) {
    const int n = static_cast<int>(task) / blocks;
    const int first = static_cast<int>(task) % blocks * kBlock, count = std::min(kBlock, C - first);
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w) std::fill_n(y.pixel(n, h, w) + first, count, 0.0f);
    for (int p = 0; p < dy.shape.h; ++p)
      for (int q = 0; q < dy.shape.w; ++q) {
        const AxisTaps columns = axis_taps(op.sample, grid(n, p, q, 0), y.shape.w);
        const AxisTaps rows = axis_taps(op.sample, grid(n, p, q, 1), y.shape.h);
        const float* from = dy.pixel(n, p, q) + first;
        for (int r = 0; r < rows.count; ++r)
          for (int s = 0; s < columns.count; ++s) {
            const float weight = static_cast<float>(rows.weight[r] * columns.weight[s]);
            float* sum = y.pixel(n, rows.pixel[r], columns.pixel[s]) + first;
            for (int c = 0; c < count; ++c) sum[c] += weight * from[c];
          }
      }
  });
}

void grid_gradient_reference(const op::GridSampleGridGradient& op, View<const float> x,
                             View<const float> grid, View<const float> dy, View<float> y) {
  parallel_for(std::int64_t{y.shape.n} * y.shape.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / y.shape.h), p = static_cast<int>(row % y.shape.h);
    for (int q = 0; q < y.shape.w; ++q) {
      const AxisTaps columns = axis_taps(op.sample, grid(n, p, q, 0), x.shape.w);
      const AxisTaps rows = axis_taps(op.sample, grid(n, p, q, 1), x.shape.h);
      double of_column = 0, of_row = 0;
      for (int r = 0; r < rows.count; ++r)
        for (int s = 0; s < columns.count; ++s) {
          const float* pixel = x.pixel(n, rows.pixel[r], columns.pixel[s]);
          const float* from = dy.pixel(n, p, q);
          double product = 0;
          for (int c = 0; c < x.shape.c; ++c) product += double(pixel[c]) * from[c];
          of_column += product * rows.weight[r] * columns.slope[s];
          of_row += product * rows.slope[r] * columns.weight[s];
        }
      y(n, p, q, 0) = static_cast<float>(of_column);
      y(n, p, q, 1) = static_cast<float>(of_row);
    }
  });
}

// clang-format off
constexpr Variant<op::GridSampleImageGradient, GridSampleImageGradientKernel> kImageLadder[] = {
    // name                                  device             can it?        time                error  entry
    {"grid_sample_image_gradient/reference", DeviceKind::kCpu,  never_refuses, slowest,            0,     image_gradient_reference},
#ifdef MEND_HAS_CUDA
    {"grid_sample_image_gradient/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6,  grid_sample_image_gradient_cuda},
#endif
};

constexpr Variant<op::GridSampleGridGradient, GridSampleGridGradientKernel> kGridLadder[] = {
    // name                                  device             can it?        time                error  entry
    {"grid_sample_grid_gradient/reference",  DeviceKind::kCpu,  never_refuses, slowest,            0,     grid_gradient_reference},
#ifdef MEND_HAS_CUDA
    {"grid_sample_grid_gradient/cuda",       DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-6,  grid_sample_grid_gradient_cuda},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::GridSampleImageGradient, GridSampleImageGradientKernel>>
grid_sample_image_gradient_ladder() {
  return kImageLadder;
}
std::span<const Variant<op::GridSampleGridGradient, GridSampleGridGradientKernel>>
grid_sample_grid_gradient_ladder() {
  return kGridLadder;
}

namespace op {

Tensors GridSample::backward(const Backward& call) const {
  const Tensor x = call.inputs[kX], grid = call.inputs[kGrid];
  Tensors gradients(2);
  if (call.wants(kX)) {
    gradients[kX] =
        apply(GridSampleImageGradient{*this, x.shape().h, x.shape().w}, {grid, call.dy});
  }
  if (call.wants(kGrid)) {
    gradients[kGrid] = apply(GridSampleGridGradient{*this}, {x, grid, call.dy});
  }
  return gradients;
}

Saves GridSample::saves(const std::vector<bool>& wanted) const {
  return {.inputs = 1u << kGrid | (wanted[kGrid] ? 1u << kX : 0u)};
}

Shape GridSampleImageGradient::shape(const Shapes& in) const {
  const Shape x{in[kDy].n, height, width, in[kDy].c};
  assert(sample.shape({x, in[kGrid]}) == in[kDy]);
  return x;
}

Cost GridSampleImageGradient::cost(const Shapes& in) const {
  return sample.cost({shape(in), in[kGrid]});
}

Footprint GridSampleImageGradient::footprint(const Shapes&) const { return {.global = true}; }

std::string GridSampleImageGradient::describe() const {
  return fmt::format("{} of {}x{}", sample.describe(), width, height);
}

void GridSampleImageGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung =
      choose(grid_sample_image_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kGrid].view<const float>(), inputs[kDy].view<const float>(),
              y.view<float>());
}

Shape GridSampleGridGradient::shape(const Shapes& in) const {
  assert(sample.shape({in[kX], in[kGrid]}) == in[kDy]);
  return in[kGrid];
}

Cost GridSampleGridGradient::cost(const Shapes& in) const {
  return sample.cost({in[kX], in[kGrid]});
}

Footprint GridSampleGridGradient::footprint(const Shapes&) const { return {.global = true}; }

std::string GridSampleGridGradient::describe() const { return sample.describe(); }

void GridSampleGridGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung =
      choose(grid_sample_grid_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kGrid].view<const float>(),
              inputs[kDy].view<const float>(), y.view<float>());
}

}  // namespace op
}  // namespace mend
