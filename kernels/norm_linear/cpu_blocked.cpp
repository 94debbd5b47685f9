// Norm and linear layer block by block: the reference's normalised pixels go to memory and come back,
// here a thread normalises as many pixels as L1 and a part of L2 hold, and multiplies them while they
// are there. Both steps are the rungs of the two operations alone, so the numbers are the same too.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/conv2d/variant.h"
#include "kernels/norm_linear/norm_linear.h"
#include "kernels/normalization/variants.h"

namespace mend {
namespace {

/// 64 kB of normalised pixels: with the weights of one chunk of outputs (64 x 180 floats are 46 kB)
/// a small part of L2, and 90 pixels at 180 channels, enough to pay for reading the weights.
constexpr int kBlockFloats = 16384;
/// A multiple of every register tile of conv2d/direct, so that only a row's end is ragged.
constexpr int kBlockStep = 24;

int block_pixels(int channels) {
  return std::clamp(kBlockFloats / channels / kBlockStep, 1, 20) * kBlockStep;
}

/// Each thread's block starts on a cache line.
std::int64_t block_bytes(int channels) {
  const std::int64_t floats = std::int64_t{block_pixels(channels)} * channels;
  return (floats * std::int64_t{sizeof(float)} + 63) / 64 * 64;
}

/// Pixels [w, w + count) of row h of image n.
template <class T>
View<T> piece(View<T> view, int n, int h, int w, int count) {
  if (!view) return view;
  const std::int64_t row = count * view.w_stride;
  return {view.pixel(n, h, w), {1, 1, count, view.shape.c}, row, row, view.w_stride};
}

}  // namespace

std::int64_t norm_linear_blocked_scratch(const op::NormLinear& op, const Shapes& in) {
  return threads() * block_bytes(in[op::NormLinear::kX].c) +
         conv2d_direct_scratch_bytes(op.linear, in);
}

void norm_linear_blocked(const NormLinearCall& call) {
  const Shape& shape = call.x.shape;
  const op::LayerNorm& norm = call.op.norm;
  const auto measure = norm.subtract_mean ? PixelMeasure::kDeviation : PixelMeasure::kDeviationOnly;
  const int block = block_pixels(shape.c), blocks = (shape.w + block - 1) / block;
  const auto bytes = static_cast<std::size_t>(block_bytes(shape.c));
  const Scratch rest = call.scratch.subspan(static_cast<std::size_t>(threads()) * bytes);
  parallel_for(std::int64_t{shape.n} * shape.h * blocks, [&](std::int64_t task, int thread) {
    const int w = static_cast<int>(task % blocks) * block, count = std::min(block, shape.w - w);
    const int h = static_cast<int>(task / blocks % shape.h);
    const int n = static_cast<int>(task / blocks / shape.h);
    const std::int64_t row = std::int64_t{count} * shape.c;
    float* pixels =
        reinterpret_cast<float*>(call.scratch.data() + static_cast<std::size_t>(thread) * bytes);
    const View<float> normal{pixels, {1, 1, count, shape.c}, row, row, shape.c};
    pixel_norm_simd_on_thread(measure, norm.eps, piece(call.x, n, h, w, count), call.gamma,
                              call.beta, normal);
    conv2d_direct_on_thread({call.op.linear,
                             {pixels, normal.shape, row, row, shape.c},
                             call.weight,
                             call.bias,
                             call.slope,
                             piece(call.residual, n, h, w, count),
                             piece(call.y, n, h, w, count),
                             rest},
                            thread);
  });
}

}  // namespace mend
