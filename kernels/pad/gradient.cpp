#include "kernels/pad/gradient.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "engine/parallel.h"
#include "engine/scratch_memory.h"
#include "kernels/cuda/machine.h"
#include "kernels/pad/variants.h"

namespace mend {
namespace {

double gradient_seconds(const op::PadGradient& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

#ifdef MEND_HAS_CUDA
double gradient_cuda_seconds(const op::PadGradient& op, const Shapes& in) {
  return op.cost(in).bytes / NominalGpu::kBytesPerSecond;
}
#endif

// clang-format off
constexpr Variant<op::PadGradient, PadGradientKernel> kLadder[] = {
    // name                    device             can it?        time                   error  entry
    {"pad_gradient/reference", DeviceKind::kCpu,  never_refuses, slowest,               0,     pad_gradient_reference},
    {"pad_gradient/rows",      DeviceKind::kCpu,  never_refuses, gradient_seconds,      1e-6,  pad_gradient_rows},
#ifdef MEND_HAS_CUDA
    {"pad_gradient/cuda",      DeviceKind::kCuda, never_refuses, gradient_cuda_seconds, 1e-6,  pad_gradient_cuda},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::PadGradient, PadGradientKernel>> pad_gradient_ladder() {
  return kLadder;
}

TransposedTaps padding_shown_by(PadMode mode, int before, int extent, int padded,
                                std::pmr::memory_resource* memory) {
  return {extent, padded,
          [&](const auto& add) {
            for (int p = 0; p < padded; ++p) {
              const int row = padding_source(mode, p - before, extent);
              if (row >= 0) add(row, p, 1);
            }
          },
          memory};
}

Tensor without_margins(const Tensor& x, const ImageMargins& m) {
  if (m.top == 0 && m.bottom == 0 && m.left == 0 && m.right == 0) return x;
  const auto at_least_0 = [](int count) { return std::max(0, count); };
  Tensor y = x;
  if (std::min({m.top, m.bottom, m.left, m.right}) < 0) {
    y = apply(op::Pad{at_least_0(-m.top), at_least_0(-m.bottom), at_least_0(-m.left),
                      at_least_0(-m.right)},
              {y});
  }
  if (std::max({m.top, m.bottom, m.left, m.right}) <= 0) return y;
  return apply(op::PadGradient{{at_least_0(m.top), at_least_0(m.bottom), at_least_0(m.left),
                                at_least_0(m.right)}},
               {y});
}

void pad_gradient_reference(const op::Pad& pad, View<const float> dy, View<float> y, Scratch) {
  const Shape& s = y.shape;
  std::vector<double> sums(static_cast<std::size_t>(s.h) * s.w);
  for (int n = 0; n < s.n; ++n)
    for (int c = 0; c < s.c; ++c) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int p = 0; p < dy.shape.h; ++p)
        for (int q = 0; q < dy.shape.w; ++q) {
          const int h = padding_source(pad.mode, p - pad.top, s.h);
          const int w = padding_source(pad.mode, q - pad.left, s.w);
          if (h >= 0 && w >= 0) sums[static_cast<std::size_t>(h) * s.w + w] += dy(n, p, q, c);
        }
      for (int h = 0; h < s.h; ++h)
        for (int w = 0; w < s.w; ++w) {
          y(n, h, w, c) = static_cast<float>(sums[static_cast<std::size_t>(h) * s.w + w]);
        }
    }
}

void pad_gradient_rows(const op::Pad& pad, View<const float> dy, View<float> y, Scratch scratch) {
  const Shape& s = y.shape;
  ScratchMemory memory(scratch);
  const auto rows = padding_shown_by(pad.mode, pad.top, s.h, dy.shape.h, &memory);
  const auto columns = padding_shown_by(pad.mode, pad.left, s.w, dy.shape.w, &memory);
  parallel_for(std::int64_t{s.n} * s.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / s.h), h = static_cast<int>(row % s.h);
    for (int w = 0; w < s.w; ++w) {
      float* to = y.pixel(n, h, w);
      bool first = true;
      for (const auto* p = rows.begin(h); p != rows.end(h); ++p)
        for (const auto* q = columns.begin(w); q != columns.end(w); ++q) {
          const float* from = dy.pixel(n, p->output, q->output);
          if (first) {
            std::copy_n(from, s.c, to);
          } else {
            for (int c = 0; c < s.c; ++c) to[c] += from[c];
          }
          first = false;
        }
    }
  });
}

namespace op {

Shape PadGradient::shape(const Shapes& in) const {
  assert(in.size() == 1);
  const Shape& dy = in[0];
  const Shape y{dy.n, dy.h - pad.top - pad.bottom, dy.w - pad.left - pad.right, dy.c};
  if (y.h < 1 || y.w < 1) {
    throw ShapeError(fmt::format("pad_gradient: nothing is left of {} without {}", to_string(dy),
                                 pad.describe()));
  }
  assert(pad.shape({y}) == dy);
  return y;
}

Cost PadGradient::cost(const Shapes& in) const {
  return {static_cast<double>(in[0].elements()),
          sizeof(float) * static_cast<double>(in[0].elements() + shape(in).elements())};
}

Footprint PadGradient::footprint(const Shapes& in) const { return pad.footprint(in); }

std::string PadGradient::describe() const { return pad.describe(); }

std::int64_t PadGradient::scratch_bytes(const Shapes& in) const {
  const Shape y = shape(in);
  return TransposedTaps::bytes(y.h, in[0].h) + TransposedTaps::bytes(y.w, in[0].w);
}

void PadGradient::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(pad_gradient_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(pad, inputs[0].view<const float>(), y.view<float>(), scratch);
}

Tensors Pad::backward(const Backward& call) const { return {apply(PadGradient{*this}, {call.dy})}; }

Saves Pad::saves(const std::vector<bool>&) const { return {}; }

Tensors Crop::backward(const Backward& call) const {
  const Shape x = call.inputs[0].shape();
  return {apply(Pad{top, x.h - top - h, left, x.w - left - w}, {call.dy})};
}

Saves Crop::saves(const std::vector<bool>&) const { return {}; }

}  // namespace op
}  // namespace mend
