// Group norm in two passes over memory: one measures, one normalizes.
//
// Lanes are channels, so groups of any width cost the same. An image is cut into at most kStripes
// stripes of whole blocks, and a block fits L1: there its means are taken first and the squares of
// the distances from them second. Blocks are merged in double (Chan et al. 1979), stripes too, in
// an order that only the shape decides.
#include <algorithm>
#include <cmath>

#include "kernels/normalization/variants.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalization/cpu_groups.cpp"
#include "kernels/partial-inl.h"

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
/// Numbers of a block: 32 kB, so that its second reading hits L1.
constexpr int kBlockFloats = 8192;
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

/// The weights with which a set that is merged into another changes its mean and squares.
struct MergeWeights {
  MergeWeights(double count, double more)
      : of_mean(more / (count + more)), of_squares(count * of_mean) {}

  /// mean and squares of the united set.
  void merge(double other_mean, double other_squares, double& mean, double& squares) const {
    const double distance = other_mean - mean;
    squares += other_squares + distance * distance * of_squares;
    mean += distance * of_mean;
  }

  double of_mean, of_squares;
};

/// Of the channels over one stripe: the number of pixels, means [C], squared distances from them [C].
struct StripeStatistics {
  double& pixels() const { return memory[0]; }
  double* means() const { return memory + 1; }
  double* squares() const { return memory + 1 + C; }
  static std::int64_t doubles(int C) { return 1 + 2 * std::int64_t{C}; }

  double* memory;
  int C;
};

/// The scratch: for each image the maps [3][C padded]; for each stripe what measure_block says of a
/// block [3][C padded]; for each stripe its statistics.
struct Workspace {
  Workspace(const Shape& x, Scratch scratch)
      : C(x.c),
        pitch(padded(C)),
        stripes(Stripes(x).count),
        maps(reinterpret_cast<float*>(scratch.data())),
        blocks(maps + x.n * 3 * pitch),
        statistics(reinterpret_cast<double*>(blocks + std::int64_t{x.n} * stripes * 3 * pitch)) {}

  static std::int64_t bytes(const Shape& x) {
    const std::int64_t count = Stripes(x).count;
    return x.n * (3 + 3 * count) * padded(x.c) * static_cast<std::int64_t>(sizeof(float)) +
           x.n * count * StripeStatistics::doubles(x.c) * static_cast<std::int64_t>(sizeof(double));
  }

  float* maps_of(int n) const { return maps + n * 3 * pitch; }
  float* block_of(std::int64_t stripe) const { return blocks + stripe * 3 * pitch; }
  StripeStatistics stripe(std::int64_t stripe) const {
    return {statistics + stripe * StripeStatistics::doubles(C), C};
  }

  int C;
  std::int64_t pitch;
  int stripes;
  float* maps;
  float* blocks;
  double* statistics;
};

/// Adds a block of pixels to a stripe. What rounding left of a block's mean is in `rest`.
void add_block(const float* block, std::int64_t pitch, int pixels, const StripeStatistics& stripe) {
  const float *centre = block, *rest = block + pitch, *squares = block + 2 * pitch;
  double *means = stripe.means(), *sums = stripe.squares();
  const MergeWeights weights(stripe.pixels(), pixels);
  const double per_pixel = 1.0 / pixels;
  for (int c = 0; c < stripe.C; ++c) {
    const double off = rest[c] * per_pixel;
    weights.merge(centre[c] + off, squares[c] - off * rest[c], means[c], sums[c]);
  }
  stripe.pixels() += pixels;
}

/// The statistics of each channel over one stripe of image n.
void measure_stripe(View<const float> x, int n, int stripe, const Stripes& cut, float* block,
                    std::int64_t pitch, const StripeStatistics& statistics) {
  const int C = x.shape.c;
  std::fill_n(statistics.memory, StripeStatistics::doubles(C), 0.0);
  for (std::int64_t b = cut.first_block(stripe); b < cut.first_block(stripe + 1); ++b) {
    const int h = static_cast<int>(b / cut.blocks_per_row);
    const int w = static_cast<int>(b % cut.blocks_per_row) * cut.block;
    const int pixels = std::min(cut.block, x.shape.w - w);
    HWY_DYNAMIC_DISPATCH(measure_block)
    (x.pixel(n, h, w), x.w_stride, pixels, C, block, block + pitch, block + 2 * pitch);
    add_block(block, pitch, pixels, statistics);
  }
}

/// What to do with the channels [first, first + width) of image n, from the statistics of its
/// stripes.
void make_map(const op::GroupNorm& norm, const Workspace& work, int n, int first, int width,
              View<const float> gamma, View<const float> beta) {
  double count = 0, mean = 0, squares = 0;
  for (int s = 0; s < work.stripes; ++s) {
    const StripeStatistics stripe = work.stripe(std::int64_t{n} * work.stripes + s);
    for (int c = first; c < first + width; ++c) {
      const MergeWeights weights(count, stripe.pixels());
      weights.merge(stripe.means()[c], stripe.squares()[c], mean, squares);
      count += stripe.pixels();
    }
  }
  const double factor = 1 / std::sqrt(squares / count + norm.eps);
  const float leading = static_cast<float>(mean);
  float* maps = work.maps_of(n);
  for (int c = first; c < first + width; ++c) {
    const double scale = factor * (gamma ? gamma.data[c] : 1);
    maps[c] = leading;
    maps[work.pitch + c] = static_cast<float>(scale);
    maps[2 * work.pitch + c] =
        static_cast<float>((beta ? beta.data[c] : 0) - (mean - leading) * scale);
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
                   work.block_of(task), work.pitch, work.stripe(task));
  });
  const int width = C / norm.groups;
  for (int n = 0; n < N; ++n)
    for (int first = 0; first < C; first += width) {
      make_map(norm, work, n, first, width, gamma, beta);
    }
  for_each_run(x.shape, [&](const Run& run) {
    const float* maps = work.maps_of(run.n);
    HWY_DYNAMIC_DISPATCH(map_pixels)
    (x.pixel(run.n, run.h, run.w), x.w_stride, y.pixel(run.n, run.h, run.w), y.w_stride, run.count,
     C, {maps, maps + work.pitch, maps + 2 * work.pitch});
  });
}

void map_channels_simd(View<const float> x, const ChannelMap& by, View<float> y) {
  for_each_run(x.shape, [&](const Run& run) {
    HWY_DYNAMIC_DISPATCH(map_pixels)
    (x.pixel(run.n, run.h, run.w), x.w_stride, y.pixel(run.n, run.h, run.w), y.w_stride, run.count,
     x.shape.c, by);
  });
}

}  // namespace mend
#endif
