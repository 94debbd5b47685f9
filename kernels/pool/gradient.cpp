#include "kernels/pool/gradient.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "engine/parallel.h"
#include "engine/scratch_memory.h"
#include "kernels/cuda/memory_seconds.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/pool/variants.h"
#include "kernels/resample/resample.h"
#include "kernels/separable_gradient.h"

namespace mend {
namespace {

/// A window, and the weight that its mean gives to each of its pixels along one axis.
struct WeightedWindow {
  Window window;
  double weight;
};

/// Window p of `windows` along an axis of `extent` pixels.
WeightedWindow window_of(const op::Pool& pool, int p, int, int extent, bool) {
  return {pool_window(pool, p, extent), 1.0 / pool.kernel};
}
WeightedWindow window_of(const op::AdaptivePool&, int p, int windows, int extent, bool) {
  const Window window = adaptive_window(p, windows, extent);
  return {window, 1.0 / (window.last - window.first)};
}
WeightedWindow window_of(const op::BoxMean& box, int p, int, int extent, bool rows) {
  const Window window = box_window(rows ? box.kernel_h : box.kernel_w, p, extent);
  return {window, 1.0 / (window.last - window.first)};
}

/// Window p along an axis of any of the poolings.
WeightedWindow window_of_mean(const op::MeanGradient& op, int p, int windows, int extent,
                              bool rows) {
  return std::visit([&](const auto& pool) { return window_of(pool, p, windows, extent, rows); },
                    op.pool);
}

void mean_reference(const op::MeanGradient& op, View<const float> dy, View<float> y, Scratch) {
  separable_gradient_reference(transposed_axis(op, dy.shape.h, y.shape.h, true),
                               transposed_axis(op, dy.shape.w, y.shape.w, false), dy, y);
}

void mean_lines(const op::MeanGradient& op, View<const float> dy, View<float> y, Scratch scratch) {
  ScratchMemory memory(
      scratch.subspan(static_cast<std::size_t>(separable_gradient_scratch(dy.shape))));
  separable_gradient_lines(transposed_axis(op, dy.shape.h, y.shape.h, true, &memory),
                           transposed_axis(op, dy.shape.w, y.shape.w, false, &memory), dy, y,
                           scratch);
}

/// The channels [first, last) of image n: windows may share pixels, so one task has all of them.
void max_channels(const op::MaxGradient& op, View<const float> x, View<const float> dy,
                  View<float> y, int n, int first, int last) {
  for (int h = 0; h < y.shape.h; ++h)
    for (int w = 0; w < y.shape.w; ++w)
      std::fill(&y(n, h, w, first), &y(n, h, w, last - 1) + 1, 0.0f);
  for (int p = 0; p < dy.shape.h; ++p)
    for (int q = 0; q < dy.shape.w; ++q) {
      const auto [rows, columns] = std::visit(
          [&](const auto& pool) {
            return std::pair{window_of(pool, p, dy.shape.h, x.shape.h, true).window,
                             window_of(pool, q, dy.shape.w, x.shape.w, false).window};
          },
          op.pool);
      for (int c = first; c < last; ++c) {
        int best_h = rows.first, best_w = columns.first;
        for (int h = rows.first; h < rows.last; ++h)
          for (int w = columns.first; w < columns.last; ++w) {
            if (x(n, h, w, c) > x(n, best_h, best_w, c)) best_h = h, best_w = w;
          }
        y(n, best_h, best_w, c) += dy(n, p, q, c);
      }
    }
}

void max_reference(const op::MaxGradient& op, View<const float> x, View<const float> dy,
                   View<float> y) {
  for (int n = 0; n < y.shape.n; ++n) max_channels(op, x, dy, y, n, 0, y.shape.c);
}

/// The same with 16 channels a task.
void max_blocks(const op::MaxGradient& op, View<const float> x, View<const float> dy,
                View<float> y) {
  constexpr int kBlock = 16;
  const int blocks = (y.shape.c + kBlock - 1) / kBlock;
  parallel_for(std::int64_t{y.shape.n} * blocks, [&](std::int64_t task, int) {
    const int first = static_cast<int>(task % blocks) * kBlock;
    max_channels(op, x, dy, y, static_cast<int>(task / blocks), first,
                 std::min(y.shape.c, first + kBlock));
  });
}

template <class Op>
double memory_seconds(const Op& op, const Shapes& in) {
  return 2 * op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::MeanGradient, MeanGradientKernel> kMeanLadder[] = {
    // name                     device            can it?        time            error  entry
    {"mean_gradient/reference", DeviceKind::kCpu, never_refuses, slowest,        0,     mean_reference},
    {"mean_gradient/lines",     DeviceKind::kCpu, never_refuses, memory_seconds, 2e-6,  mean_lines},
#ifdef MEND_HAS_CUDA
    {"mean_gradient/cuda_direct", DeviceKind::kCuda, never_refuses, mean_gradient_cuda_direct_seconds, 2e-6, mean_gradient_cuda_direct},
    {"mean_gradient/cuda_two_pass", DeviceKind::kCuda, never_refuses, mean_gradient_cuda_two_pass_seconds, 2e-6, mean_gradient_cuda_two_pass},
#endif
};
constexpr Variant<op::MaxGradient, MaxGradientKernel> kMaxLadder[] = {
    {"max_gradient/reference",  DeviceKind::kCpu, never_refuses, slowest,        0,     max_reference},
    {"max_gradient/blocks",     DeviceKind::kCpu, never_refuses, memory_seconds, 0,     max_blocks},
#ifdef MEND_HAS_CUDA
    {"max_gradient/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, max_gradient_cuda},
#endif
};
// clang-format on

Tensor spread(const Tensor& x, const Shape& to, float scale) {
  const op::Resample repeat{.mode = ResampleMode::kNearest, .height = to.h, .width = to.w};
  return apply(op::Affine{.scale = scale}, {apply(repeat, {x})});
}

double bytes_of(const Shape& x, const Shape& dy) {
  return sizeof(float) * static_cast<double>(x.elements() + dy.elements());
}

}  // namespace

std::span<const Variant<op::MeanGradient, MeanGradientKernel>> mean_gradient_ladder() {
  return kMeanLadder;
}
std::span<const Variant<op::MaxGradient, MaxGradientKernel>> max_gradient_ladder() {
  return kMaxLadder;
}

TransposedTaps transposed_axis(const op::MeanGradient& op, int windows, int extent, bool rows,
                               std::pmr::memory_resource* memory) {
  return {extent, windows,
          [&](const auto& add) {
            for (int p = 0; p < windows; ++p) {
              const auto [window, weight] = window_of_mean(op, p, windows, extent, rows);
              for (int h = window.first; h < window.last; ++h) add(h, p, weight);
            }
          },
          memory};
}

int mean_window_rows(const op::MeanGradient& op, int windows, int extent, bool rows) {
  const Window window = window_of_mean(op, windows / 2, windows, extent, rows).window;
  return window.last - window.first;
}

namespace op {

Tensors Pool::backward(const Backward& call) const {
  const Shape x = call.inputs[0].shape();
  if (kind == PoolKind::kMax) return {apply(MaxGradient{*this}, {call.inputs[0], call.dy})};
  const bool tiles = kernel == stride && padding == 0 && x.h % kernel == 0 && x.w % kernel == 0;
  if (tiles) {
    return {spread(call.dy, x, 1 / (static_cast<float>(kernel) * static_cast<float>(kernel)))};
  }
  return {apply(MeanGradient{*this, x.h, x.w}, {call.dy})};
}

Saves Pool::saves(const std::vector<bool>&) const {
  return {.inputs = kind == PoolKind::kMax ? 1u : 0u};
}

Tensors AdaptivePool::backward(const Backward& call) const {
  const Shape x = call.inputs[0].shape();
  if (kind == PoolKind::kMax) return {apply(MaxGradient{*this}, {call.inputs[0], call.dy})};
  if (x.h % height == 0 && x.w % width == 0) {
    const std::int64_t window = std::int64_t{x.h / height} * (x.w / width);
    return {spread(call.dy, x, 1 / static_cast<float>(window))};
  }
  return {apply(MeanGradient{*this, x.h, x.w}, {call.dy})};
}

Saves AdaptivePool::saves(const std::vector<bool>&) const {
  return {.inputs = kind == PoolKind::kMax ? 1u : 0u};
}

Tensors BoxMean::backward(const Backward& call) const {
  const Shape x = call.inputs[0].shape();
  return {apply(MeanGradient{*this, x.h, x.w}, {call.dy})};
}

Saves BoxMean::saves(const std::vector<bool>&) const { return {}; }

Shape MeanGradient::shape(const Shapes& in) const {
  const Shape x{in[0].n, height, width, in[0].c};
  assert(std::visit([&](const auto& op) { return op.shape({x}); }, pool) == in[0]);
  return x;
}

Cost MeanGradient::cost(const Shapes& in) const {
  Cost cost = std::visit([&](const auto& op) { return op.cost({shape(in)}); }, pool);
  cost.bytes = bytes_of(shape(in), in[0]);
  return cost;
}

Footprint MeanGradient::footprint(const Shapes&) const { return {.global = true}; }

std::string MeanGradient::describe() const {
  return fmt::format("{} of {}x{}", std::visit([](const auto& op) { return op.describe(); }, pool),
                     width, height);
}

std::int64_t MeanGradient::scratch_bytes(const Shapes& in) const {
  const auto taps_bytes = [&](int windows, int extent, bool rows) {
    std::int64_t taps = 0;
    for (int p = 0; p < windows; ++p) {
      const Window window = window_of_mean(*this, p, windows, extent, rows).window;
      taps += window.last - window.first;
    }
    return TransposedTaps::bytes(extent, taps);
  };
  return separable_gradient_scratch(in[0]) + taps_bytes(in[0].h, height, true) +
         taps_bytes(in[0].w, width, false);
}

void MeanGradient::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(mean_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>(), scratch);
}

Shape MaxGradient::shape(const Shapes& in) const {
  assert(std::visit([&](const auto& op) { return op.shape({in[kX]}); }, pool) == in[kDy]);
  return in[kX];
}

Cost MaxGradient::cost(const Shapes& in) const {
  Cost cost = std::visit([&](const auto& op) { return op.cost({in[kX]}); }, pool);
  cost.bytes = 2 * bytes_of(in[kX], in[kDy]);
  return cost;
}

Footprint MaxGradient::footprint(const Shapes&) const { return {.global = true}; }

std::string MaxGradient::describe() const {
  return std::visit([](const auto& op) { return op.describe(); }, pool);
}

void MaxGradient::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(max_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kDy].view<const float>(),
              y.view<float>());
}

}  // namespace op
}  // namespace mend
