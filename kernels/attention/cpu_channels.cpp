// Channel attention in three steps: products of all channels of a head over all pixels, their
// softmax, and each pixel's values times the weights.
//
// The first and last are matrix products with one long side, the pixels: register tiles (see
// matmul/tile-inl.h) over kBlockPixels pixels at a time, whose q and k (2 x 12 kB at 48 channels)
// stay in L1 while all tiles of the c x c products pass. k is read where it lies if its vectors are whole. The products of a
// group of blocks are summed in f32, groups and stripes in double, in an order that only the shape decides: at 96 channels
// 9216 sums of doubles for the 4.7 million multiplications of a group.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "engine/parallel.h"
#include "kernels/attention/variants.h"
#include "kernels/convert/convert.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention/cpu_channels.cpp"
#include "kernels/matmul/tile-inl.h"
#include "kernels/partial-inl.h"

#ifndef MEND_ATTENTION_CPU_CHANNELS_ONCE
#define MEND_ATTENTION_CPU_CHANNELS_ONCE
namespace mend {

constexpr int kBlockPixels = 64;
/// Blocks that are summed in f32.
constexpr int kGroupBlocks = 8;

/// c channels as whole vectors of any instruction set.
constexpr int padded_channels(int c) { return (c + 15) / 16 * 16; }

/// Up to kBlockPixels pixels of one head: its first channel, its number of channels.
struct ChannelBlock {
  const float* const* x;  // q, or v
  const float* const* z;  // k
  int pixels, first, depth;
  /// Between pixels of z that can be read as whole vectors where they are; else 0.
  std::int64_t z_stride;
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

/// squares[i] += Σ_p x[p][first + i]²
HWY_INLINE void add_squares(const float* const* x, const ChannelBlock& b, float* squares) {
  const hn::ScalableTag<float> d;
  for (int c = 0; c < b.depth; c += kTileLanes) {
    const int count = std::min(kTileLanes, b.depth - c);
    auto sum = hn::LoadU(d, squares + c);
    for (int p = 0; p < b.pixels; ++p) {
      const auto value = load_partial(d, x[p] + b.first + c, count);
      sum = hn::MulAdd(value, value, sum);
    }
    hn::StoreU(sum, d, squares + c);
  }
}

/// products [depth][padded] += Σ_p x[p][first + i] · z[p][first + j]; squares [2][padded] of x and z
/// likewise. panel: kBlockPixels x padded numbers of working memory.
void add_block(const ChannelBlock& b, float* panel, float* products, float* squares) {
  const int padded = padded_channels(b.depth);
  const bool in_place = b.z_stride != 0;
  for (int p = 0; p < b.pixels && !in_place; ++p) {
    std::copy_n(b.z[p] + b.first, b.depth, panel + p * padded);
    std::fill(panel + p * padded + b.depth, panel + (p + 1) * padded, 0.0f);
  }
  const float* z = in_place ? b.z[0] + b.first : panel;
  const std::int64_t z_stride = in_place ? b.z_stride : padded;
  multiply<Walk::kSteps>(b.depth, (b.depth + kTileLanes - 1) / kTileLanes,
                         {b.x, b.first, b.pixels, z, z_stride, products, padded, products, padded});
  add_squares(b.x, b, squares);
  add_squares(b.z, b, squares + padded);
}

/// sums[i] += x[i]
void add_to_doubles(const float* x, int count, double* sums) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const auto more = hn::PromoteTo(d, hn::LoadU(narrow, x + i));
    hn::StoreU(hn::Add(hn::LoadU(d, sums + i), more), d, sums + i);
  }
  for (; i < count; ++i) sums[i] += x[i];
}

/// out [pixels][out_stride] = x times weights [depth][padded], whole vectors.
void mix_channels(const ChannelBlock& b, const float* weights, float* out,
                  std::int64_t out_stride) {
  const int padded = padded_channels(b.depth);
  multiply<Walk::kRows>(b.pixels, (b.depth + kTileLanes - 1) / kTileLanes,
                        {b.x, b.first, b.depth, weights, padded, nullptr, 0, out, out_stride});
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(add_block);
HWY_EXPORT(add_to_doubles);
HWY_EXPORT(mix_channels);

namespace {

/// Parts of an image that are summed by themselves, at most: enough for 16 threads and more heads.
constexpr int kStripes = 16;

/// How the work is cut, and where in the scratch its pieces lie.
struct Workspace {
  Workspace(const op::ChannelAttention& op, const Shape& q)
      : heads(op.heads),
        depth(q.c / op.heads),
        padded(padded_channels(depth)),
        pixels(std::int64_t{q.h} * q.w),
        blocks((pixels + kBlockPixels - 1) / kBlockPixels),
        stripes(static_cast<int>(std::min<std::int64_t>(kStripes, blocks))),
        tasks(std::int64_t{q.n} * stripes * heads),
        sum_doubles(std::int64_t{depth} * (depth + 2)),
        weight_floats(std::int64_t{depth} * padded),
        wide_floats(op.type == DType::kF32 ? 0 : std::int64_t{kBlockPixels} * padded),
        thread_floats((std::int64_t{kBlockPixels} + depth + 2) * padded + wide_floats) {}

  std::int64_t bytes(int images) const {
    return tasks * sum_doubles * static_cast<std::int64_t>(sizeof(double)) +
           (images * heads * weight_floats + threads() * thread_floats) *
               static_cast<std::int64_t>(sizeof(float));
  }

  // In the scratch: the threads' panels, the weights, the sums. All but the last come in sixteens of
  // floats, so that all are aligned.
  double* sums(const Scratch& scratch, std::int64_t task) const {
    return reinterpret_cast<double*>(scratch.data() + weights_bytes()) + task * sum_doubles;
  }
  float* weights(const Scratch& scratch, int image, int head) const {
    return reinterpret_cast<float*>(scratch.data()) + threads_floats() +
           (std::int64_t{image} * heads + head) * weight_floats;
  }
  float* of_thread(const Scratch& scratch, int thread) const {
    return reinterpret_cast<float*>(scratch.data()) + thread * thread_floats;
  }

  std::int64_t threads_floats() const { return threads() * thread_floats; }
  std::int64_t weights_bytes() const {
    return (threads_floats() + tasks / stripes * weight_floats) *
           static_cast<std::int64_t>(sizeof(float));
  }

  int heads, depth, padded;
  std::int64_t pixels, blocks;
  int stripes;
  std::int64_t tasks;
  std::int64_t sum_doubles;    // of a stripe of a head: products [c][c], squares of q [c], of k [c]
  std::int64_t weight_floats;  // of a head
  std::int64_t wide_floats;    // of a block of narrow q or v in f32, at the end of a thread's
  std::int64_t thread_floats;
};

/// The distance between pixels of x, if they are evenly spaced and the vectors of a head are whole and on cache lines:
/// then they need no copy. Else 0.
std::int64_t stride_in_place(const View<const float>& x, int depth) {
  constexpr int kLine = 16;
  const bool on_lines = reinterpret_cast<std::uintptr_t>(x.data) % (kLine * sizeof(float)) == 0 &&
                        x.w_stride % kLine == 0;
  return on_lines && depth % kLine == 0 && x.evenly_spaced() ? x.w_stride : 0;
}

/// Pointers to the pixels of a block, counted through the rows of image n; returns how many.
template <class T>
int find_pixels(View<T> x, int n, std::int64_t block, T** pointers) {
  const std::int64_t first = block * kBlockPixels, all = std::int64_t{x.shape.h} * x.shape.w;
  const int count = static_cast<int>(std::min<std::int64_t>(kBlockPixels, all - first));
  int h = static_cast<int>(first / x.shape.w), w = static_cast<int>(first % x.shape.w);
  for (int p = 0; p < count; ++p) {
    pointers[p] = x.pixel(n, h, w);
    if (++w == x.shape.w) {
      w = 0;
      ++h;
    }
  }
  return count;
}

/// body(pixels, first) for the pieces of rows that a block consists of: a view of a head's channels, and the number of
/// its first pixel in the block.
template <class T, class Body>
void for_each_piece(View<T> x, int n, std::int64_t block, int head, int depth, const Body& body) {
  const std::int64_t first = block * kBlockPixels, all = std::int64_t{x.shape.h} * x.shape.w;
  const int count = static_cast<int>(std::min<std::int64_t>(kBlockPixels, all - first));
  int h = static_cast<int>(first / x.shape.w), w = static_cast<int>(first % x.shape.w);
  for (int p = 0; p < count; w = 0, ++h) {
    const int pixels = std::min(count - p, x.shape.w - w);
    const std::int64_t row = pixels * x.w_stride;
    body(View<T>{x.pixel(n, h, w) + head * depth, {1, 1, pixels, depth}, row, row, x.w_stride}, p);
    p += pixels;
  }
}

/// Pixels of a panel of f32, `padded` numbers apart.
View<float> in_panel(float* panel, int first, const Shape& shape, int padded) {
  const std::int64_t row = std::int64_t{shape.w} * padded;
  return {panel + std::int64_t{first} * padded, shape, row, row, padded};
}

/// Pointers to the pixels of a block in f32; returns how many. Narrow ones: their channels of one head in `panel`,
/// zeros behind the last.
template <class T>
int find_head(View<const T> x, int n, std::int64_t block, int head, const Workspace& work,
              float* panel, const float** pointers) {
  if constexpr (std::is_same_v<T, float>) {
    return find_pixels(x, n, block, pointers);
  } else {
    int count = 0;
    for_each_piece(x, n, block, head, work.depth, [&](View<const T> pixels, int first) {
      widen_pixels(pixels, in_panel(panel, first, pixels.shape, work.padded));
      count = first + pixels.shape.w;
    });
    for (int p = 0; p < count; ++p, panel += work.padded) {
      std::fill(panel + work.depth, panel + work.padded, 0.0f);
      pointers[p] = panel;
    }
    return count;
  }
}

/// The sums over one stripe of image n, one head.
template <class T>
void sum_stripe(const TypedAttentionCall<T>& call, const Workspace& work, int n, int stripe,
                int head, float* memory, double* sums) {
  const int c = work.depth;
  float* panel = memory;
  float* products = panel + kBlockPixels * work.padded;
  float* squares = products + c * work.padded;
  const int floats = (c + 2) * work.padded;  // the squares lie behind the products
  constexpr bool kIsWide = std::is_same_v<T, float>;
  float* wide_q = squares + 2 * work.padded;
  std::int64_t k_stride = work.padded;
  if constexpr (kIsWide) k_stride = stride_in_place(call.k, c);
  std::fill_n(sums, work.sum_doubles, 0.0);
  std::int64_t block = work.blocks * stripe / work.stripes;
  const std::int64_t end = work.blocks * (stripe + 1) / work.stripes;
  while (block < end) {
    std::fill_n(products, floats, 0.0f);
    for (const std::int64_t next = std::min(block + kGroupBlocks, end); block < next; ++block) {
      const float *q[kBlockPixels], *k[kBlockPixels];
      const int pixels = find_head(call.q, n, block, head, work, wide_q, q);
      find_head(call.k, n, block, head, work, panel, k);
      HWY_DYNAMIC_DISPATCH(add_block)
      ({q, k, pixels, kIsWide ? head * c : 0, c, k_stride}, panel, products, squares);
    }
    for (int i = 0; i < c + 2; ++i) {
      HWY_DYNAMIC_DISPATCH(add_to_doubles)(products + i * work.padded, c, sums + i * c);
    }
  }
}

/// Squared lengths become factors that bring a channel to length 1.
void invert_lengths(double* squares, int count) {
  for (int i = 0; i < count; ++i) {
    const double length = std::sqrt(squares[i]);
    squares[i] = 1 / (length < 1e-12 ? 1e-12 : length);  // a NaN stays
  }
}

/// Row i of the softmax, as column i of the weights.
void write_weights(const double* sums, int c, int i, double temperature, float* weights,
                   int padded) {
  const double *products = sums + i * c, *of_q = sums + c * c, *of_k = of_q + c;
  const double scale = temperature * of_q[i];
  double largest = scale * products[0] * of_k[0];
  for (int j = 1; j < c; ++j) largest = std::max(largest, scale * products[j] * of_k[j]);
  double sum = 0;
  for (int j = 0; j < c; ++j) {
    const double score = scale * products[j] * of_k[j];
    const float power = std::exp(static_cast<float>(score - largest));
    weights[j * padded + i] = power;
    sum += power;
  }
  const float share = static_cast<float>(1 / sum);
  for (int j = 0; j < c; ++j) weights[j * padded + i] *= share;
}

/// Step 1: the sums of all stripes.
template <class T>
void sum_stripes(const TypedAttentionCall<T>& call, const Workspace& work) {
  parallel_for(work.tasks, [&](std::int64_t task, int thread) {
    const int head = static_cast<int>(task % work.heads);
    const int stripe = static_cast<int>(task / work.heads % work.stripes);
    const int n = static_cast<int>(task / work.heads / work.stripes);
    sum_stripe(call, work, n, stripe, head, work.of_thread(call.scratch, thread),
               work.sums(call.scratch, task));
  });
}

/// Step 2: stripes into the first one, then into weights.
template <class T>
void write_all_weights(const TypedAttentionCall<T>& call, const Workspace& work) {
  parallel_for(work.tasks / work.stripes, [&](std::int64_t task, int) {
    const int head = static_cast<int>(task % work.heads);
    const int n = static_cast<int>(task / work.heads);
    const std::int64_t first = std::int64_t{n} * work.stripes * work.heads + head;
    double* sums = work.sums(call.scratch, first);
    for (int stripe = 1; stripe < work.stripes; ++stripe) {
      const double* more = work.sums(call.scratch, first + stripe * work.heads);
      for (std::int64_t i = 0; i < work.sum_doubles; ++i) sums[i] += more[i];
    }
    invert_lengths(sums + work.depth * work.depth, 2 * work.depth);
    float* weights = work.weights(call.scratch, n, head);
    std::fill_n(weights, work.weight_floats, 0.0f);
    for (int i = 0; i < work.depth; ++i) {
      write_weights(sums, work.depth, i, call.bias.data[head], weights, work.padded);
    }
  });
}

/// Step 3: values times weights.
template <class T>
void mix_values(const TypedAttentionCall<T>& call, const Workspace& work) {
  parallel_for(call.q.shape.n * work.blocks, [&](std::int64_t task, int thread) {
    const int n = static_cast<int>(task / work.blocks), c = work.depth;
    const std::int64_t block = task % work.blocks;
    constexpr bool kIsWide = std::is_same_v<T, float>;
    const float* v[kBlockPixels];
    [[maybe_unused]] T* y[kBlockPixels];
    if constexpr (kIsWide) find_pixels(call.y, n, block, y);
    float* mixed = work.of_thread(call.scratch, thread);
    float* wide_v = mixed + work.thread_floats - work.wide_floats;
    for (int head = 0; head < work.heads; ++head) {
      const int pixels = find_head(call.v, n, block, head, work, wide_v, v);
      const ChannelBlock values{v, nullptr, pixels, kIsWide ? head * c : 0, c, 0};
      const float* weights = work.weights(call.scratch, n, head);
      if constexpr (kIsWide) {
        // Whole vectors must not reach into the next head's channels, which may be done already.
        const bool writes_y = c == work.padded && call.y.evenly_spaced();
        HWY_DYNAMIC_DISPATCH(mix_channels)
        (values, weights, writes_y ? y[0] + head * c : mixed,
         writes_y ? call.y.w_stride : work.padded);
        for (int p = 0; p < pixels && !writes_y; ++p)
          std::copy_n(mixed + p * work.padded, c, y[p] + head * c);
      } else {
        HWY_DYNAMIC_DISPATCH(mix_channels)(values, weights, mixed, work.padded);
        for_each_piece(call.y, n, block, head, c, [&](View<T> pieces, int first) {
          narrow_pixels(in_panel(mixed, first, pieces.shape, work.padded), View<const T>{}, pieces);
        });
      }
    }
  });
}

template <class T>
void attend_channels(const op::ChannelAttention& op, const TypedAttentionCall<T>& call) {
  const Workspace work(op, call.q.shape);
  sum_stripes(call, work);
  write_all_weights(call, work);
  mix_values(call, work);
}

}  // namespace

std::int64_t channel_attention_blocks_scratch(const op::ChannelAttention& op, const Shapes& in) {
  return Workspace(op, in[op.kQ]).bytes(in[op.kQ].n);
}

void channel_attention_blocks(const op::ChannelAttention& op, const AttentionCall& call) {
  attend_channels(op, call);
}
void channel_attention_blocks_f16(const op::ChannelAttention& op,
                                  const TypedAttentionCall<Half>& call) {
  attend_channels(op, call);
}
void channel_attention_blocks_bf16(const op::ChannelAttention& op,
                                   const TypedAttentionCall<BFloat16>& call) {
  attend_channels(op, call);
}

}  // namespace mend
#endif
