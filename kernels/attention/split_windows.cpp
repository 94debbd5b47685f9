// The operations that gradient.h adds to the room: they move tokens, and are bound by memory.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "kernels/attention/variants.h"
#include "kernels/attention/windows.h"
#include "kernels/cuda/memory_seconds.h"

namespace mend {
namespace {

/// The tokens of one window, row by row.
struct Tokens {
  Tokens(const op::WindowAttention& windows, bool of_keys, const Shape& image)
      : grid(windows, image),
        keys(of_keys),
        rows(of_keys ? windows.key_window_h() : windows.window_h),
        columns(of_keys ? windows.key_window_w() : windows.window_w) {}

  int count() const { return rows * columns; }
  WindowGrid::Pixel pixel(int i, int j, int token) const {
    const int r = token / columns, s = token % columns;
    return keys ? grid.key(i, j, r, s) : grid.query(i, j, r, s);
  }

  WindowGrid grid;
  bool keys;
  int rows, columns;
};

void split_windows_reference(const op::SplitWindows& op, View<const float> x, View<float> to) {
  const Tokens tokens(op.windows, op.keys, x.shape);
  const int I = tokens.grid.I, J = tokens.grid.J, depth = to.shape.c;
  parallel_for(to.shape.n, [&](std::int64_t window, int) {
    const int n = static_cast<int>(window) / (I * J), i = static_cast<int>(window) / J % I;
    const int j = static_cast<int>(window) % J;
    for (int t = 0; t < tokens.count(); ++t) {
      const WindowGrid::Pixel pixel = tokens.pixel(i, j, t);
      for (int head = 0; head < op.windows.heads; ++head) {
        float* token = to.pixel(static_cast<int>(window), head, t);
        if (pixel.outside) {
          std::fill_n(token, depth, 0.0f);
        } else {
          std::copy_n(x.pixel(n, pixel.h, pixel.w) + head * depth, depth, token);
        }
      }
    }
  });
}

void merge_windows_reference(const op::MergeWindows& op, View<const float> x, View<float> to) {
  const Tokens tokens(op.windows, op.keys, to.shape);
  const int I = tokens.grid.I, J = tokens.grid.J, depth = x.shape.c;
  // Windows share pixels, so one task has all windows of an image, and one head's channels of them.
  parallel_for(std::int64_t{to.shape.n} * op.windows.heads, [&](std::int64_t task, int) {
    const int n = static_cast<int>(task) / op.windows.heads;
    const int head = static_cast<int>(task) % op.windows.heads;
    for (int h = 0; h < to.shape.h; ++h)
      for (int w = 0; w < to.shape.w; ++w)
        std::fill_n(to.pixel(n, h, w) + head * depth, depth, 0.0f);
    for (int i = 0; i < I; ++i)
      for (int j = 0; j < J; ++j)
        for (int t = 0; t < tokens.count(); ++t) {
          const WindowGrid::Pixel pixel = tokens.pixel(i, j, t);
          if (pixel.outside) continue;
          const float* token = x.pixel((n * I + i) * J + j, head, t);
          float* sum = to.pixel(n, pixel.h, pixel.w) + head * depth;
          for (int d = 0; d < depth; ++d) sum[d] += token[d];
        }
  });
}

void mask_windows_reference(const op::MaskWindows& op, View<const float> x, View<float> to) {
  const WindowGrid grid(op.windows, {1, op.height, op.width, 1});
  const float apart = mask_value(op.windows.mask);
  const int columns = op.windows.window_w;
  parallel_for(to.shape.n, [&](std::int64_t window, int) {
    const int i = static_cast<int>(window) / grid.J % grid.I, j = static_cast<int>(window) % grid.J;
    const auto region = [&](int t) { return grid.region(i, j, t / columns, t % columns); };
    for (int head = 0; head < to.shape.h; ++head)
      for (int q = 0; q < to.shape.w; ++q) {
        const float* from = x.pixel(static_cast<int>(window), head, q);
        float* scores = to.pixel(static_cast<int>(window), head, q);
        std::copy_n(from, to.shape.c, scores);
        if (!grid.is_masked(i, j)) continue;
        for (int k = 0; k < to.shape.c; ++k) {
          if (region(q) != region(k)) scores[k] += apart;
        }
      }
  });
}

void gather_bias_gradient_reference(const op::GatherBiasGradient& op, View<const float> dy,
                                    View<const float> index, View<float> table, Scratch scratch) {
  const int entries = op.entries;
  parallel_for(table.shape.c, [&](std::int64_t head, int thread) {
    double* sums = reinterpret_cast<double*>(scratch.data()) + std::int64_t{thread} * entries;
    std::fill_n(sums, entries, 0.0);
    for (int q = 0; q < index.shape.w; ++q)
      for (int k = 0; k < index.shape.c; ++k) {
        const int entry = static_cast<int>(index(0, 0, q, k));  // GatherBias has checked it
        sums[entry < 0 ? entry + entries : entry] += dy(0, static_cast<int>(head), k, q);
      }
    for (int e = 0; e < entries; ++e) {
      table(0, 0, e, static_cast<int>(head)) = static_cast<float>(sums[e]);
    }
  });
}

// clang-format off
constexpr Variant<op::SplitWindows, MoveTokensKernel<op::SplitWindows>> kSplitWindowsLadder[] = {
    // name                            device             can it?        time                error entry
    {"split_windows/reference",        DeviceKind::kCpu,  never_refuses, slowest,            0, split_windows_reference},
#ifdef MEND_HAS_CUDA
    {"split_windows/cuda",             DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, split_windows_cuda},
#endif
};
constexpr Variant<op::MergeWindows, MoveTokensKernel<op::MergeWindows>> kMergeWindowsLadder[] = {
    {"merge_windows/reference",        DeviceKind::kCpu,  never_refuses, slowest,            0, merge_windows_reference},
#ifdef MEND_HAS_CUDA
    {"merge_windows/cuda",             DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, merge_windows_cuda},
#endif
};
constexpr Variant<op::MaskWindows, MoveTokensKernel<op::MaskWindows>> kMaskWindowsLadder[] = {
    {"mask_windows/reference",         DeviceKind::kCpu,  never_refuses, slowest,            0, mask_windows_reference},
#ifdef MEND_HAS_CUDA
    {"mask_windows/cuda",              DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 0, mask_windows_cuda},
#endif
};
constexpr Variant<op::GatherBiasGradient, GatherBiasGradientKernel> kGatherBiasGradientLadder[] = {
    {"gather_bias_gradient/reference", DeviceKind::kCpu,  never_refuses, slowest,            0,
     gather_bias_gradient_reference},
#ifdef MEND_HAS_CUDA
    {"gather_bias_gradient/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-6,
     gather_bias_gradient_cuda},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::SplitWindows, MoveTokensKernel<op::SplitWindows>>>
split_windows_ladder() {
  return kSplitWindowsLadder;
}
std::span<const Variant<op::MergeWindows, MoveTokensKernel<op::MergeWindows>>>
merge_windows_ladder() {
  return kMergeWindowsLadder;
}
std::span<const Variant<op::MaskWindows, MoveTokensKernel<op::MaskWindows>>> mask_windows_ladder() {
  return kMaskWindowsLadder;
}
std::span<const Variant<op::GatherBiasGradient, GatherBiasGradientKernel>>
gather_bias_gradient_ladder() {
  return kGatherBiasGradientLadder;
}

namespace op {
namespace {

Cost copy_cost(const Shape& x, const Shape& y) {
  return {0, sizeof(float) * static_cast<double>(x.elements() + y.elements())};
}

void check_windows(std::string_view op, const WindowAttention& windows, const Shape& image) {
  const bool fits = windows.window_h > 0 && windows.window_w > 0 && windows.heads > 0 &&
                    image.h % windows.window_h == 0 && image.w % windows.window_w == 0 &&
                    image.c % windows.heads == 0;
  if (fits) return;
  throw ShapeError(fmt::format("{}: windows of {}x{} and {} heads do not divide {}", op,
                               windows.window_w, windows.window_h, windows.heads,
                               to_string(image)));
}

}  // namespace

Shape SplitWindows::shape(const Shapes& in) const {
  const Shape& x = in[0];
  check_windows(kName, windows, x);
  const int count = (x.h / windows.window_h) * (x.w / windows.window_w);
  return {x.n * count, windows.heads, keys ? windows.keys() : windows.queries(),
          x.c / windows.heads};
}

Cost SplitWindows::cost(const Shapes& in) const { return copy_cost(in[0], shape(in)); }

Footprint SplitWindows::footprint(const Shapes&) const { return {.global = true}; }

std::string SplitWindows::describe() const {
  return fmt::format("{}{}", windows.describe(), keys ? " keys" : "");
}

void SplitWindows::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(split_windows_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

Shape MergeWindows::shape(const Shapes& in) const {
  const Shape& x = in[0];
  const Shape image{1, height, width, x.c * windows.heads};
  check_windows(kName, windows, image);
  const int count = (height / windows.window_h) * (width / windows.window_w);
  const Shape y{x.n / count, height, width, image.c};
  if (SplitWindows{windows, keys}.shape({y}) != x) {
    throw ShapeError(fmt::format("merge_windows: {} are no windows of {}x{} pixels by {}",
                                 to_string(x), width, height, windows.describe()));
  }
  return y;
}

Cost MergeWindows::cost(const Shapes& in) const { return copy_cost(in[0], shape(in)); }

Footprint MergeWindows::footprint(const Shapes&) const { return {.global = true}; }

std::string MergeWindows::describe() const {
  return fmt::format("{}{} to {}x{}", windows.describe(), keys ? " keys" : "", width, height);
}

void MergeWindows::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(merge_windows_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

Shape MaskWindows::shape(const Shapes& in) const {
  [[maybe_unused]] const int count = (height / windows.window_h) * (width / windows.window_w);
  assert(in[0].n % count == 0 && in[0].w == windows.queries() && in[0].c == windows.keys());
  return in[0];
}

Cost MaskWindows::cost(const Shapes& in) const { return copy_cost(in[0], in[0]); }

Footprint MaskWindows::footprint(const Shapes&) const { return {.global = true}; }

std::string MaskWindows::describe() const {
  return fmt::format("{} of {}x{}", windows.describe(), width, height);
}

void MaskWindows::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(mask_windows_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

Shape GatherBiasGradient::shape(const Shapes& in) const {
  assert(in[kDy].w == in[kIndex].c && in[kDy].c == in[kIndex].w);
  return {1, 1, entries, in[kDy].h};
}

Cost GatherBiasGradient::cost(const Shapes& in) const {
  return {static_cast<double>(in[kDy].elements()),
          sizeof(float) * static_cast<double>(in[kDy].elements() + in[kIndex].elements())};
}

Footprint GatherBiasGradient::footprint(const Shapes&) const { return {}; }

std::string GatherBiasGradient::describe() const { return fmt::format("{} entries", entries); }

std::int64_t GatherBiasGradient::scratch_bytes(const Shapes&) const {
  return threads() * std::int64_t{entries} * static_cast<std::int64_t>(sizeof(double));
}

void GatherBiasGradient::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung =
      choose(gather_bias_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kDy].view<const float>(), inputs[kIndex].view<const float>(),
              y.view<float>(), scratch);
}

}  // namespace op
}  // namespace mend
