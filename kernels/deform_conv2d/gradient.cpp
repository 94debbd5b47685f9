#include "kernels/deform_conv2d/gradient.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "engine/parallel.h"
#include "kernels/elementwise/gradient.h"

namespace mend {
namespace {

/// A pixel that a tap reads: its weight, and how that changes as the tap moves.
struct Corner {
  int h, w;
  double weight, slope_h, slope_w;
};

/// The up to four pixels around (h, w) that lie in the image.
struct Corners {
  Corner corner[4];
  int count = 0;

  Corners(const Shape& image, double h, double w) {
    const bool finite = std::isfinite(h) && std::isfinite(w);
    if (!finite || h <= -1 || h >= image.h || w <= -1 || w >= image.w) return;
    const int top = static_cast<int>(std::floor(h)), left = static_cast<int>(std::floor(w));
    for (int row = std::max(top, 0); row <= std::min(top + 1, image.h - 1); ++row)
      for (int column = std::max(left, 0); column <= std::min(left + 1, image.w - 1); ++column) {
        const double along_h = 1 - std::abs(h - row), along_w = 1 - std::abs(w - column);
        corner[count++] = {row, column, along_h * along_w, row == top ? -along_w : along_w,
                           column == left ? -along_h : along_h};
      }
  }
  const Corner* begin() const { return corner; }
  const Corner* end() const { return corner + count; }
};

/// Where the taps of a convolution look, and how much of what they see counts.
struct Taps {
  const op::DeformConv2d& op;
  View<const float> offset, mask;

  int of(int g, int r, int s) const { return (g * op.kernel_h + r) * op.kernel_w + s; }
  Corners corners(const Shape& image, int n, int p, int q, int g, int r, int s) const {
    const int t = of(g, r, s);
    return {image, double(p * op.stride + r * op.dilation - op.padding_h) + offset(n, p, q, 2 * t),
            double(q * op.stride + s * op.dilation - op.padding_w) + offset(n, p, q, 2 * t + 1)};
  }
  double gate(int n, int p, int q, int g, int r, int s) const {
    return mask ? mask(n, p, q, of(g, r, s)) : 1;
  }
};

/// A multiply-add for every number of the columns and weight; what is read and written once.
Cost cost_of(double flops, const Shapes& in, const Shape& y) {
  std::int64_t moved = y.elements();
  for (const Shape& input : in) moved += input.elements();
  return {flops, sizeof(float) * static_cast<double>(moved)};
}

double elements_of(const Shape& shape) { return static_cast<double>(shape.elements()); }

}  // namespace

namespace op {

Tensors DeformConv2d::backward(const Backward& call) const {
  const Tensor x = call.inputs[kX], offset = call.inputs[kOffset], mask = call.inputs[kMask];
  Tensors gradients(kSlots);
  if (call.wants(kX) || call.wants(kOffset) || call.wants(kMask)) {
    const Tensor column = apply(DeformColumnGradient{groups}, {call.inputs[kWeight], call.dy});
    if (call.wants(kX)) {
      const DeformImageGradient gradient{*this, x.shape().h, x.shape().w};
      gradients[kX] = apply(gradient, {offset, mask, column});
    }
    for (const bool of_mask : {false, true}) {
      const Slot slot = of_mask ? kMask : kOffset;
      if (!call.wants(slot)) continue;
      gradients[slot] = apply(DeformOffsetGradient{*this, of_mask}, {x, offset, mask, column});
    }
  }
  if (call.wants(kWeight)) {
    gradients[kWeight] = apply(DeformWeightGradient{*this}, {x, offset, mask, call.dy});
  }
  if (call.wants(kBias)) gradients[kBias] = sum_to(call.dy, vector_shape(call.dy.shape().c));
  return gradients;
}

Saves DeformConv2d::saves(const std::vector<bool>& wanted) const {
  std::uint32_t inputs = 1u << kOffset | 1u << kMask;
  if (wanted[kX] || wanted[kOffset] || wanted[kMask]) inputs |= 1u << kWeight;
  if (wanted[kOffset] || wanted[kMask] || wanted[kWeight]) inputs |= 1u << kX;
  return {.inputs = inputs};
}

Shape DeformColumnGradient::shape(const Shapes& in) const {
  const Shape &weight = in[kWeight], &dy = in[kDy];
  assert(weight.n == dy.c && dy.c % groups == 0);
  return {dy.n, dy.h, dy.w, weight.h * weight.w * weight.c * groups};
}

Cost DeformColumnGradient::cost(const Shapes& in) const {
  return cost_of(2 * elements_of(shape(in)) * (in[kDy].c / groups), in, shape(in));
}

Footprint DeformColumnGradient::footprint(const Shapes&) const { return {}; }

std::string DeformColumnGradient::describe() const { return fmt::format("groups {}", groups); }

void DeformColumnGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const View<const float> weight = inputs[kWeight].view<const float>();
  const View<const float> dy = inputs[kDy].view<const float>();
  const View<float> to = y.view<float>();
  const int Cg = weight.shape.c, C = Cg * groups, Kg = dy.shape.c / groups;
  parallel_for(std::int64_t{to.shape.n} * to.shape.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / to.shape.h), p = static_cast<int>(row % to.shape.h);
    for (int q = 0; q < to.shape.w; ++q) {
      const float* from = dy.pixel(n, p, q);
      float* columns = to.pixel(n, p, q);
      std::fill_n(columns, to.shape.c, 0.0f);
      for (int k = 0; k < dy.shape.c; ++k)
        for (int r = 0; r < weight.shape.h; ++r)
          for (int s = 0; s < weight.shape.w; ++s) {
            const float* by = weight.pixel(k, r, s);
            float* column = columns + (r * weight.shape.w + s) * C + k / Kg * Cg;
            for (int c = 0; c < Cg; ++c) column[c] += from[k] * by[c];
          }
    }
  });
}

Shape DeformImageGradient::shape(const Shapes& in) const {
  const Shape& column = in[kColumn];
  assert(column.c % (convolution.kernel_h * convolution.kernel_w) == 0);
  return {column.n, height, width, column.c / (convolution.kernel_h * convolution.kernel_w)};
}

Cost DeformImageGradient::cost(const Shapes& in) const {
  return cost_of(8 * elements_of(in[kColumn]), in, shape(in));
}

Footprint DeformImageGradient::footprint(const Shapes&) const { return {.global = true}; }

std::string DeformImageGradient::describe() const {
  return fmt::format("{} of {}x{}", convolution.describe(), width, height);
}

/// Taps share pixels, so one task has a whole image, and up to 16 channels of one offset group.
void DeformImageGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  constexpr int kBlock = 16;
  const Taps taps{convolution, inputs[kOffset].view<const float>(),
                  inputs[kMask].view<const float>()};
  const View<const float> column = inputs[kColumn].view<const float>();
  const View<float> to = y.view<float>();
  const int C = to.shape.c, channels = C / convolution.offset_groups;
  const int blocks = (channels + kBlock - 1) / kBlock;
  const int tasks = convolution.offset_groups * blocks;
  parallel_for(std::int64_t{to.shape.n} * tasks, [&](std::int64_t task, int) {
    const int n = static_cast<int>(task / tasks), part = static_cast<int>(task % tasks);
    const int g = part / blocks, within = part % blocks * kBlock;
    const int first = g * channels + within, count = std::min(kBlock, channels - within);
    for (int h = 0; h < to.shape.h; ++h)
      for (int w = 0; w < to.shape.w; ++w) std::fill_n(to.pixel(n, h, w) + first, count, 0.0f);
    for (int p = 0; p < column.shape.h; ++p)
      for (int q = 0; q < column.shape.w; ++q)
        for (int r = 0; r < convolution.kernel_h; ++r)
          for (int s = 0; s < convolution.kernel_w; ++s) {
            const double gate = taps.gate(n, p, q, g, r, s);
            const float* from = column.pixel(n, p, q) + (r * convolution.kernel_w + s) * C + first;
            for (const Corner& corner : taps.corners(to.shape, n, p, q, g, r, s)) {
              const auto weight = static_cast<float>(gate * corner.weight);
              float* sum = to.pixel(n, corner.h, corner.w) + first;
              for (int c = 0; c < count; ++c) sum[c] += weight * from[c];
            }
          }
  });
}

Shape DeformOffsetGradient::shape(const Shapes& in) const {
  assert(!of_mask || !in[kMask].empty());
  return of_mask ? in[kMask] : in[kOffset];
}

Cost DeformOffsetGradient::cost(const Shapes& in) const {
  return cost_of((of_mask ? 9 : 12) * elements_of(in[kColumn]), in, shape(in));
}

Footprint DeformOffsetGradient::footprint(const Shapes&) const { return {.global = true}; }

std::string DeformOffsetGradient::describe() const {
  return fmt::format("{}, of the {}", convolution.describe(), of_mask ? "mask" : "offset");
}

void DeformOffsetGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const View<const float> x = inputs[kX].view<const float>();
  const Taps taps{convolution, inputs[kOffset].view<const float>(),
                  inputs[kMask].view<const float>()};
  const View<const float> column = inputs[kColumn].view<const float>();
  const View<float> to = y.view<float>();
  const int C = x.shape.c, channels = C / convolution.offset_groups, S = convolution.kernel_w;
  parallel_for(std::int64_t{to.shape.n} * to.shape.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / to.shape.h), p = static_cast<int>(row % to.shape.h);
    for (int q = 0; q < to.shape.w; ++q)
      for (int g = 0; g < convolution.offset_groups; ++g)
        for (int r = 0; r < convolution.kernel_h; ++r)
          for (int s = 0; s < S; ++s) {
            const float* from = column.pixel(n, p, q) + (r * S + s) * C + g * channels;
            double seen = 0, along_h = 0, along_w = 0;
            for (const Corner& corner : taps.corners(x.shape, n, p, q, g, r, s)) {
              const float* pixel = x.pixel(n, corner.h, corner.w) + g * channels;
              double product = 0;
              for (int c = 0; c < channels; ++c) product += double(pixel[c]) * from[c];
              seen += corner.weight * product;
              along_h += corner.slope_h * product;
              along_w += corner.slope_w * product;
            }
            const int t = taps.of(g, r, s);
            if (of_mask) {
              to(n, p, q, t) = static_cast<float>(seen);
              continue;
            }
            const double gate = taps.gate(n, p, q, g, r, s);
            to(n, p, q, 2 * t) = static_cast<float>(gate * along_h);
            to(n, p, q, 2 * t + 1) = static_cast<float>(gate * along_w);
          }
  });
}

Shape DeformWeightGradient::shape(const Shapes& in) const {
  return {in[kDy].c, convolution.kernel_h, convolution.kernel_w, in[kX].c / convolution.groups};
}

Cost DeformWeightGradient::cost(const Shapes& in) const {
  const double columns = static_cast<double>(in[kDy].pixels()) * convolution.kernel_h *
                         convolution.kernel_w * in[kX].c;
  return cost_of(columns * (8 + 2.0 * in[kDy].c / convolution.groups), in, shape(in));
}

Footprint DeformWeightGradient::footprint(const Shapes&) const { return {.global = true}; }

std::string DeformWeightGradient::describe() const { return convolution.describe(); }

/// For each thread the sums of one tap and the channels that it sees.
std::int64_t DeformWeightGradient::scratch_bytes(const Shapes& in) const {
  const Shape y = shape(in);
  return std::int64_t{sizeof(double)} * threads() * (std::int64_t{y.n} * y.c + in[kX].c);
}

void DeformWeightGradient::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const View<const float> x = inputs[kX].view<const float>();
  const Taps taps{convolution, inputs[kOffset].view<const float>(),
                  inputs[kMask].view<const float>()};
  const View<const float> dy = inputs[kDy].view<const float>();
  const View<float> to = y.view<float>();
  const int K = to.shape.n, S = to.shape.w, Cg = to.shape.c, C = x.shape.c;
  const int Kg = K / convolution.groups, channels = C / convolution.offset_groups;
  parallel_for(std::int64_t{to.shape.h} * S, [&](std::int64_t tap, int thread) {
    const int r = static_cast<int>(tap / S), s = static_cast<int>(tap % S);
    double* sums = reinterpret_cast<double*>(scratch.data()) + thread * (std::int64_t{K} * Cg + C);
    double* column = sums + std::int64_t{K} * Cg;
    std::fill_n(sums, std::int64_t{K} * Cg, 0.0);
    for (int n = 0; n < dy.shape.n; ++n)
      for (int p = 0; p < dy.shape.h; ++p)
        for (int q = 0; q < dy.shape.w; ++q) {
          std::fill_n(column, C, 0.0);
          for (int g = 0; g < convolution.offset_groups; ++g) {
            const double gate = taps.gate(n, p, q, g, r, s);
            for (const Corner& corner : taps.corners(x.shape, n, p, q, g, r, s)) {
              const float* pixel = x.pixel(n, corner.h, corner.w);
              for (int c = g * channels; c < (g + 1) * channels; ++c) {
                column[c] += gate * corner.weight * pixel[c];
              }
            }
          }
          const float* from = dy.pixel(n, p, q);
          for (int k = 0; k < K; ++k) {
            const double* seen = column + k / Kg * Cg;
            double* sum = sums + std::int64_t{k} * Cg;
            for (int c = 0; c < Cg; ++c) sum[c] += from[k] * seen[c];
          }
        }
    for (int k = 0; k < K; ++k)
      for (int c = 0; c < Cg; ++c) {
        to(k, r, s, c) = static_cast<float>(sums[std::int64_t{k} * Cg + c]);
      }
  });
}

}  // namespace op
}  // namespace mend
