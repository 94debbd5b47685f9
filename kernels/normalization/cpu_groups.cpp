// Group norm in two passes over memory: one measures, one normalizes.
//
// Lanes are channels, so groups of any width cost the same. An image is cut into at most kStripes
// stripes of whole blocks, and a block fits L1: there its means are taken first and the squares of
// the distances from them second. Blocks are merged in double (Chan et al. 1979), stripes too, in
// an order that only the shape decides.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/normalization/variants.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalization/cpu_groups.cpp"
#include "kernels/partial-inl.h"

#ifndef MEND_NORMALIZATION_CPU_GROUPS_ONCE
#define MEND_NORMALIZATION_CPU_GROUPS_ONCE
namespace mend {

/// y = (x − mean)·factor + offset for each channel; `mean` is the leading part of the mean, what
/// f32 leaves of it is in the offset.
struct ChannelMap {
  const float* mean;
  const float* factor;
  const float* offset;
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

struct LoadWhole {
  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D d, const float* x) const {
    return hn::LoadU(d, x);
  }
};
struct LoadPartial {
  std::int64_t count;
  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D d, const float* x) const {
    return load_partial(d, x, count);
  }
};

/// One vector of channels of a block. centre is about their mean, to f32's rounding; rest and squares
/// are the sums of the distances from it and of their squares.
template <class D, class Load>
HWY_INLINE void measure_vector(D d, const float* x, std::int64_t stride, int pixels,
                               const Load& load, float* centre, float* rest, float* squares) {
  auto sum = hn::Zero(d);
  for (int pixel = 0; pixel < pixels; ++pixel) sum = hn::Add(sum, load(d, x + pixel * stride));
  const auto mean = hn::Mul(sum, hn::Set(d, 1.0f / static_cast<float>(pixels)));
  auto first = hn::Zero(d), second = hn::Zero(d);
  for (int pixel = 0; pixel < pixels; ++pixel) {
    const auto distance = hn::Sub(load(d, x + pixel * stride), mean);
    first = hn::Add(first, distance);
    second = hn::MulAdd(distance, distance, second);
  }
  hn::StoreU(mean, d, centre);
  hn::StoreU(first, d, rest);
  hn::StoreU(second, d, squares);
}

/// The same for C channels; writes up to the next whole vector.
void measure_block(const float* x, std::int64_t stride, int pixels, int C, float* centre,
                   float* rest, float* squares) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  int c = 0;
  for (; c + lanes <= C; c += lanes) {
    measure_vector(d, x + c, stride, pixels, LoadWhole{}, centre + c, rest + c, squares + c);
  }
  if (c == C) return;
  measure_vector(d, x + c, stride, pixels, LoadPartial{C - c}, centre + c, rest + c, squares + c);
}

void map_pixels(const float* x, std::int64_t x_stride, float* y, std::int64_t y_stride, int pixels,
                int C, const ChannelMap& by) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  for (int pixel = 0; pixel < pixels; ++pixel, x += x_stride, y += y_stride) {
    int c = 0;
    for (; c + lanes <= C; c += lanes) {
      const auto distance = hn::Sub(hn::LoadU(d, x + c), hn::LoadU(d, by.mean + c));
      hn::StoreU(hn::MulAdd(distance, hn::LoadU(d, by.factor + c), hn::LoadU(d, by.offset + c)), d,
                 y + c);
    }
    if (c == C) continue;
    const auto distance =
        hn::Sub(load_partial(d, x + c, C - c), load_partial(d, by.mean + c, C - c));
    store_partial(hn::MulAdd(distance, load_partial(d, by.factor + c, C - c),
                             load_partial(d, by.offset + c, C - c)),
                  d, y + c, C - c);
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(measure_block);
HWY_EXPORT(map_pixels);

namespace {

/// Enough for any number of threads to find work, few enough that their results fit L2.
constexpr int kStripes = 64;
/// Numbers of a block: 16 kB, so that its second reading hits L1.
constexpr int kBlockFloats = 4096;
/// Channels up to the next whole vector of any instruction set.
std::int64_t padded(int channels) { return (std::int64_t{channels} + 15) / 16 * 16; }

/// How an image is cut: rows of pixels into blocks, blocks into stripes.
struct Stripes {
  explicit Stripes(const Shape& x)
      : block(std::clamp(kBlockFloats / x.c, 1, x.w)),
        blocks_per_row((x.w + block - 1) / block),
        blocks(std::int64_t{x.h} * blocks_per_row),
        count(static_cast<int>(std::min<std::int64_t>(kStripes, blocks))) {}

  std::int64_t first_block(int stripe) const { return blocks * stripe / count; }

  int block;  ///< pixels of a block, but for the last of a row
  int blocks_per_row;
  std::int64_t blocks;
  int count;
};

/// Number, mean and squared distances from the mean of a set, and how two sets make one.
struct Statistics {
  double count = 0, mean = 0, squares = 0;

  void merge(const Statistics& other) {
    if (other.count == 0) return;
    const double sum = count + other.count, distance = other.mean - mean;
    squares += other.squares + distance * distance * count * other.count / sum;
    mean += distance * other.count / sum;
    count = sum;
  }
};

/// The scratch: statistics [N][stripes][C], then for each image the maps [3][C padded], and for each
/// stripe what measure_block says of a block [3][C padded].
struct Workspace {
  Workspace(const Shape& x, Scratch scratch)
      : channels(padded(x.c)),
        stripes(Stripes(x).count),
        statistics(reinterpret_cast<Statistics*>(scratch.data())),
        maps(reinterpret_cast<float*>(statistics + std::int64_t{x.n} * stripes * x.c)),
        blocks(maps + x.n * 3 * channels) {}

  static std::int64_t bytes(const Shape& x) {
    const std::int64_t count = Stripes(x).count;
    return std::int64_t{x.n} * count * x.c * static_cast<std::int64_t>(sizeof(Statistics)) +
           x.n * (3 + 3 * count) * padded(x.c) * static_cast<std::int64_t>(sizeof(float));
  }

  std::int64_t channels;
  int stripes;
  Statistics* statistics;
  float* maps;
  float* blocks;
};

/// The statistics of each channel over one stripe of image n.
void measure_stripe(View<const float> x, int n, int stripe, const Stripes& cut, float* block,
                    std::int64_t pitch, Statistics* channels) {
  const int C = x.shape.c;
  const float *centre = block, *rest = block + pitch, *squares = block + 2 * pitch;
  std::fill_n(channels, C, Statistics{});
  for (std::int64_t b = cut.first_block(stripe); b < cut.first_block(stripe + 1); ++b) {
    const int h = static_cast<int>(b / cut.blocks_per_row);
    const int w = static_cast<int>(b % cut.blocks_per_row) * cut.block;
    const int pixels = std::min(cut.block, x.shape.w - w);
    HWY_DYNAMIC_DISPATCH(measure_block)
    (x.pixel(n, h, w), x.w_stride, pixels, C, block, block + pitch, block + 2 * pitch);
    for (int c = 0; c < C; ++c) {
      const double off = double{rest[c]} / pixels;  // what rounding left of the mean
      channels[c].merge({static_cast<double>(pixels), centre[c] + off, squares[c] - off * rest[c]});
    }
  }
}

/// What to do with the channels of one image, from the statistics of its stripes.
void make_maps(const op::GroupNorm& norm, const Statistics* stripes, int stripe_count, int C,
               View<const float> gamma, View<const float> beta, float* maps, std::int64_t pitch) {
  const int width = C / norm.groups;
  for (int first = 0; first < C; first += width) {
    Statistics group;
    for (int stripe = 0; stripe < stripe_count; ++stripe)
      for (int c = first; c < first + width; ++c) group.merge(stripes[stripe * C + c]);
    const double factor = 1 / std::sqrt(group.squares / group.count + norm.eps);
    const float mean = static_cast<float>(group.mean);
    for (int c = first; c < first + width; ++c) {
      const double scale = factor * (gamma ? gamma.data[c] : 1);
      maps[c] = mean;
      maps[pitch + c] = static_cast<float>(scale);
      maps[2 * pitch + c] =
          static_cast<float>((beta ? beta.data[c] : 0) - (group.mean - mean) * scale);
    }
  }
}

}  // namespace

std::int64_t group_norm_simd_scratch(const op::GroupNorm&, const Shape& x) {
  return Workspace::bytes(x);
}

void group_norm_simd(const op::GroupNorm& norm, View<const float> x, View<const float> gamma,
                     View<const float> beta, View<float> y, Scratch scratch) {
  const int N = x.shape.n, C = x.shape.c;
  const Stripes cut(x.shape);
  const Workspace work(x.shape, scratch);
  parallel_for(std::int64_t{N} * cut.count, [&](std::int64_t task, int) {
    measure_stripe(x, static_cast<int>(task / cut.count), static_cast<int>(task % cut.count), cut,
                   work.blocks + task * 3 * work.channels, work.channels,
                   work.statistics + task * C);
  });
  for (int n = 0; n < N; ++n) {
    make_maps(norm, work.statistics + std::int64_t{n} * cut.count * C, cut.count, C, gamma, beta,
              work.maps + n * 3 * work.channels, work.channels);
  }
  for_each_run(x.shape, [&](const Run& run) {
    const float* maps = work.maps + run.n * 3 * work.channels;
    HWY_DYNAMIC_DISPATCH(map_pixels)
    (x.pixel(run.n, run.h, run.w), x.w_stride, y.pixel(run.n, run.h, run.w), y.w_stride, run.count,
     C, {maps, maps + work.channels, maps + 2 * work.channels});
  });
}

}  // namespace mend
#endif
