// Norm and linear layer block by block: the reference's normalised pixels go to memory and come back,
// here a thread normalises as many pixels as L1 and a part of L2 hold, and multiplies them while they
// are there. Both steps are the rungs of the two operations alone, so the numbers are the same too.
#include <algorithm>

#include "engine/cache.h"
#include "engine/parallel.h"
#include "kernels/conv2d/variant.h"
#include "kernels/norm_linear/norm_linear.h"
#include "kernels/normalization/variants.h"

namespace mend {
namespace {

using op::Conv2d;

/// A multiple of every register tile of conv2d/direct, so that only a row's end is ragged.
constexpr int kBlockStep = 24;
constexpr int kMostSteps = 20;

/// Pixels of a block. 64 kB of normalised ones leave room in L2 for weights that stay there. Weights that
/// do not come from L3 once a block, so that it must be as long as L2 allows beside the weights of
/// 64 outputs: 180 pixels at 256 channels and 512 KB do 47 MFLOP for each half MB of weights.
int block_pixels(const Conv2d& linear, int channels) {
  const std::int64_t l2 = l2_cache_bytes();
  const std::int64_t weight_bytes = std::int64_t{channels} * linear.outputs * sizeof(float);
  const std::int64_t bytes = 4 * weight_bytes <= l2 ? 64 << 10 : l2 * 3 / 8;
  const auto pixels = bytes / static_cast<std::int64_t>(sizeof(float)) / channels;
  return kBlockStep *
         static_cast<int>(std::clamp<std::int64_t>(pixels / kBlockStep, 1, kMostSteps));
}

/// Parts of the outputs that a block's tasks compute, where there are too few blocks to keep all threads busy: each
/// normalises the pixels for itself, and reads its part of the weights alone.
int parts_of_outputs(std::int64_t blocks, const Conv2d& linear) {
  constexpr int kEnough = 4;  // blocks for each thread, of which one may be left over
  if (blocks % threads() == 0 || blocks >= kEnough * threads()) return 1;
  return std::min(threads(), conv2d_direct_chunks(linear));
}

/// Each thread's block starts on a cache line.
std::int64_t block_bytes(const Conv2d& linear, int channels) {
  const std::int64_t floats = std::int64_t{block_pixels(linear, channels)} * channels;
  return (floats * std::int64_t{sizeof(float)} + 63) / 64 * 64;
}

/// Pixels [w, w + count) of row h of image n.
template <class T>
View<T> piece(View<T> view, int n, int h, int w, int count) {
  if (!view) return view;
  const std::int64_t row = count * view.w_stride;
  return {view.pixel(n, h, w), {1, 1, count, view.shape.c}, row, row, view.w_stride};
}

/// The call with all pixels in one row where that is the same: short rows would cut blocks short.
NormLinearCall in_one_row(const NormLinearCall& call) {
  const bool even = call.x.evenly_spaced() && call.y.evenly_spaced() &&
                    (!call.residual || call.residual.evenly_spaced());
  if (!even) return call;
  return {
      call.op,     call.x.as_one_row(), call.weight,
      call.bias,   call.slope,          call.residual ? call.residual.as_one_row() : call.residual,
      call.gamma,  call.beta,           call.y.as_one_row(),
      call.scratch};
}

}  // namespace

std::int64_t norm_linear_blocked_scratch(const op::NormLinear& op, const Shapes& in) {
  return threads() * block_bytes(op.linear, in[op::NormLinear::kX].c) +
         conv2d_direct_scratch_bytes(op.linear, in);
}

void norm_linear_blocked(const NormLinearCall& given) {
  const NormLinearCall call = in_one_row(given);
  const Shape& shape = call.x.shape;
  const op::LayerNorm& norm = call.op.norm;
  const auto measure = norm.subtract_mean ? PixelMeasure::kDeviation : PixelMeasure::kDeviationOnly;
  const int most = block_pixels(call.op.linear, shape.c), blocks = (shape.w + most - 1) / most;
  const int block = ((shape.w + blocks - 1) / blocks + kBlockStep - 1) / kBlockStep * kBlockStep;
  const auto bytes = static_cast<std::size_t>(block_bytes(call.op.linear, shape.c));
  const Scratch rest = call.scratch.subspan(static_cast<std::size_t>(threads()) * bytes);
  const std::int64_t all = std::int64_t{shape.n} * shape.h * blocks;
  const int parts = parts_of_outputs(all, call.op.linear);
  parallel_for(all * parts, [&](std::int64_t task, int thread) {
    const std::int64_t place = task / parts;
    const int w = static_cast<int>(place % blocks) * block, count = std::min(block, shape.w - w);
    const int h = static_cast<int>(place / blocks % shape.h);
    const int n = static_cast<int>(place / blocks / shape.h);
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
                            thread, static_cast<int>(task % parts), parts);
  });
}

}  // namespace mend
