#include "kernels/deform_conv2d/gradient.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "engine/parallel.h"
#include "kernels/cuda/memory_seconds.h"
#include "kernels/deform_conv2d/gradient_rungs.h"
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

void column_gradient_reference(const op::DeformColumnGradient& op, View<const float> weight,
                               View<const float> dy, View<float> y) {
  const int Cg = weight.shape.c, C = Cg * op.groups, Kg = dy.shape.c / op.groups;
  parallel_for(std::int64_t{y.shape.n} * y.shape.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / y.shape.h), p = static_cast<int>(row % y.shape.h);
    for (int q = 0; q < y.shape.w; ++q) {
      const float* from = dy.pixel(n, p, q);
      float* columns = y.pixel(n, p, q);
      std::fill_n(columns, y.shape.c, 0.0f);
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

/// Taps share pixels, so one task has a whole image, and up to 16 channels of one offset group.
void image_gradient_reference(const op::DeformImageGradient& op, View<const float> offset,
                              View<const float> mask, View<const float> column, View<float> y) {
  const op::DeformConv2d& convolution = op.convolution;
  constexpr int kBlock = 16;
  const Taps taps{convolution, offset, mask};
  const int C = y.shape.c, channels = C / convolution.offset_groups;
  const int blocks = (channels + kBlock - 1) / kBlock;
  const int tasks = convolution.offset_groups * blocks;
  parallel_for(std::int64_t{y.shape.n} * tasks, [&](std::int64_t task, int) {
    const int n = static_cast<int>(task / tasks), part = static_cast<int>(task % tasks);
    const int g = part / blocks, within = part % blocks * kBlock;
    const int first = g * channels + within, count = std::min(kBlock, channels - within);
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w) std::fill_n(y.pixel(n, h, w) + first, count, 0.0f);
    for (int p = 0; p < column.shape.h; ++p)
      for (int q = 0; q < column.shape.w; ++q)
        for (int r = 0; r < convolution.kernel_h; ++r)
          for (int s = 0; s < convolution.kernel_w; ++s) {
            const double gate = taps.gate(n, p, q, g, r, s);
            const float* from = column.pixel(n, p, q) + (r * convolution.kernel_w + s) * C + first;
            for (const Corner& corner : taps.corners(y.shape, n, p, q, g, r, s)) {
              const auto weight = static_cast<float>(gate * corner.weight);
              float* sum = y.pixel(n, corner.h, corner.w) + first;
              for (int c = 0; c < count; ++c) sum[c] += weight * from[c];
            }
          }
  });
}

void offset_gradient_reference(const op::DeformOffsetGradient& op, View<const float> x,
                               View<const float> offset, View<const float> mask,
                               View<const float> column, View<float> y) {
  const op::DeformConv2d& convolution = op.convolution;
  const Taps taps{convolution, offset, mask};
  const int C = x.shape.c, channels = C / convolution.offset_groups, S = convolution.kernel_w;
  parallel_for(std::int64_t{y.shape.n} * y.shape.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / y.shape.h), p = static_cast<int>(row % y.shape.h);
    for (int q = 0; q < y.shape.w; ++q)
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
            if (op.of_mask) {
              y(n, p, q, t) = static_cast<float>(seen);
              continue;
            }
            const double gate = taps.gate(n, p, q, g, r, s);
            y(n, p, q, 2 * t) = static_cast<float>(gate * along_h);
            y(n, p, q, 2 * t + 1) = static_cast<float>(gate * along_w);
          }
  });
}

void weight_gradient_reference(const op::DeformWeightGradient& op, View<const float> x,
                               View<const float> offset, View<const float> mask,
                               View<const float> dy, View<float> y, Scratch scratch) {
  const op::DeformConv2d& convolution = op.convolution;
  const Taps taps{convolution, offset, mask};
  const int K = y.shape.n, S = y.shape.w, Cg = y.shape.c, C = x.shape.c;
  const int Kg = K / convolution.groups, channels = C / convolution.offset_groups;
  parallel_for(std::int64_t{y.shape.h} * S, [&](std::int64_t tap, int thread) {
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
        y(k, r, s, c) = static_cast<float>(sums[std::int64_t{k} * Cg + c]);
      }
  });
}

// clang-format off
constexpr Variant<op::DeformColumnGradient, DeformColumnGradientKernel> kColumnLadder[] = {
    // name                             device             can it?        time                error  entry
    {"deform_column_gradient/reference", DeviceKind::kCpu,  never_refuses, slowest,            0,     column_gradient_reference},
#ifdef MEND_HAS_CUDA
    {"deform_column_gradient/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-3,  deform_column_gradient_cuda},
#endif
};
constexpr Variant<op::DeformImageGradient, DeformImageGradientKernel> kImageLadder[] = {
    // name                            device             can it?        time                error  entry
    {"deform_image_gradient/reference", DeviceKind::kCpu,  never_refuses, slowest,            0,     image_gradient_reference},
#ifdef MEND_HAS_CUDA
    {"deform_image_gradient/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6,  deform_image_gradient_cuda},
#endif
};
constexpr Variant<op::DeformOffsetGradient, DeformOffsetGradientKernel> kOffsetLadder[] = {
    // name                             device             can it?        time                error  entry
    {"deform_offset_gradient/reference", DeviceKind::kCpu,  never_refuses, slowest,            0,     offset_gradient_reference},
#ifdef MEND_HAS_CUDA
    {"deform_offset_gradient/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-6,  deform_offset_gradient_cuda},
#endif
};
constexpr Variant<op::DeformWeightGradient, DeformWeightGradientKernel> kWeightLadder[] = {
    // name                             device             can it?        time                error  entry
    {"deform_weight_gradient/reference", DeviceKind::kCpu,  never_refuses, slowest,            0,     weight_gradient_reference},
#ifdef MEND_HAS_CUDA
    {"deform_weight_gradient/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-3,  deform_weight_gradient_cuda},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::DeformColumnGradient, DeformColumnGradientKernel>>
deform_column_gradient_ladder() {
  return kColumnLadder;
}
std::span<const Variant<op::DeformImageGradient, DeformImageGradientKernel>>
deform_image_gradient_ladder() {
  return kImageLadder;
}
std::span<const Variant<op::DeformOffsetGradient, DeformOffsetGradientKernel>>
deform_offset_gradient_ladder() {
  return kOffsetLadder;
}
std::span<const Variant<op::DeformWeightGradient, DeformWeightGradientKernel>>
deform_weight_gradient_ladder() {
  return kWeightLadder;
}

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
  const auto& rung =
      choose(deform_column_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kWeight].view<const float>(), inputs[kDy].view<const float>(),
              y.view<float>());
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

void DeformImageGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung =
      choose(deform_image_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kOffset].view<const float>(), inputs[kMask].view<const float>(),
              inputs[kColumn].view<const float>(), y.view<float>());
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
  const auto& rung =
      choose(deform_offset_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kOffset].view<const float>(),
              inputs[kMask].view<const float>(), inputs[kColumn].view<const float>(),
              y.view<float>());
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
  const auto& rung =
      choose(deform_weight_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kOffset].view<const float>(),
              inputs[kMask].view<const float>(), inputs[kDy].view<const float>(), y.view<float>(),
              scratch);
}

}  // namespace op
}  // namespace mend
