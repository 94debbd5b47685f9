// Sums over what was broadcast, at the speed of reading it once. Lanes are channels; kSumBlock pixels
// are added in f32 in registers, blocks in double in memory, so that a long sum loses no digits. The
// rows that one row of y sums are cut into parts, as many as the shapes say, whatever the threads; the
// parts are added in their order.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise/cpu_gradient.cpp"
#include "kernels/partial-inl.h"

#ifndef MEND_ELEMENTWISE_CPU_GRADIENT_ONCE
#define MEND_ELEMENTWISE_CPU_GRADIENT_ONCE
namespace mend {

/// Pixels whose sum is taken in f32: it stays within a few ulps.
constexpr int kSumBlock = 32;

/// Some pixels of a row of x, and of z if there is one.
struct SumRun {
  const float* x;
  std::int64_t x_stride;
  const float* z;  // or null
  std::int64_t z_stride;
  int pixels, channels;
  bool negative_part;
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::Vec<D> load_some(D d, const float* x, int count) {
  return count == static_cast<int>(hn::Lanes(d)) ? hn::LoadU(d, x) : load_partial(d, x, count);
}

/// sum + x · z for `count` channels of one pixel.
template <class D, class V>
HWY_INLINE V add_products(D d, const SumRun& run, int pixel, int c, int count, V sum) {
  const V x = load_some(d, run.x + pixel * run.x_stride + c, count);
  if (run.z == nullptr) return hn::Add(sum, x);
  V z = load_some(d, run.z + pixel * run.z_stride + c, count);
  if (run.negative_part) z = hn::IfThenZeroElse(hn::Gt(z, hn::Zero(d)), z);
  return hn::MulAdd(x, z, sum);
}

/// sums[c] += Σ over the pixels.
void sum_pixels(const SumRun& run, double* sums) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  HWY_ALIGN float some[hn::MaxLanes(d)];
  for (int c = 0; c < run.channels; c += lanes) {
    const int count = std::min(lanes, run.channels - c);
    for (int first = 0; first < run.pixels; first += kSumBlock) {
      const int last = std::min(run.pixels, first + kSumBlock);
      // Two chains, so that one sum does not wait for the other.
      auto even = hn::Zero(d), odd = hn::Zero(d);
      int pixel = first;
      for (; pixel + 2 <= last; pixel += 2) {
        even = add_products(d, run, pixel, c, count, even);
        odd = add_products(d, run, pixel + 1, c, count, odd);
      }
      if (pixel < last) even = add_products(d, run, pixel, c, count, even);
      hn::Store(hn::Add(even, odd), d, some);
      for (int i = 0; i < count; ++i) sums[c + i] += some[i];
    }
  }
}

/// Σ over the channels of one pixel.
HWY_INLINE double sum_of_channels(const SumRun& run, int pixel) {
  const hn::ScalableTag<float> d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  double total = 0;
  for (int first = 0; first < run.channels; first += kSumBlock * lanes) {
    auto sum = hn::Zero(d);
    const int last = std::min(run.channels, first + kSumBlock * lanes);
    for (int c = first; c < last; c += lanes) {
      sum = add_products(d, run, pixel, c, std::min(lanes, last - c), sum);
    }
    total += double{hn::GetLane(hn::SumOfLanes(d, sum))};
  }
  return total;
}

/// sums[pixel] += Σ over its channels.
void sum_channels(const SumRun& run, double* sums) {
  for (int pixel = 0; pixel < run.pixels; ++pixel) sums[pixel] += sum_of_channels(run, pixel);
}

/// sums[pixel·C + c] += x · z.
void add_elements(const SumRun& run, double* sums) {
  for (int pixel = 0; pixel < run.pixels; ++pixel) {
    const float* x = run.x + pixel * run.x_stride;
    const float* z = run.z == nullptr ? nullptr : run.z + pixel * run.z_stride;
    for (int c = 0; c < run.channels; ++c, ++sums) {
      const float factor = z == nullptr ? 1 : run.negative_part && z[c] > 0 ? 0 : z[c];
      *sums += double{x[c]} * factor;
    }
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(sum_pixels);
HWY_EXPORT(sum_channels);
HWY_EXPORT(add_elements);

namespace {

/// Pixels of a row that are one piece of work where the sum goes along the row.
constexpr int kSegment = 1024;
/// About so many pieces of work in all: enough for many threads.
constexpr std::int64_t kPieces = 64;

/// How the sums are cut: each row of y is Σ over `rows` rows of x in `segments` segments, dealt to
/// `parts` parts.
struct SumCut {
  SumCut(const Shape& x, const Shape& to)
      : images(to.n == 1 ? x.n : 1),
        heights(to.h == 1 ? x.h : 1),
        segment(to.w == 1 && x.w > kSegment ? kSegment : x.w),
        segments((x.w + segment - 1) / segment),
        y_rows(std::int64_t{to.n} * to.h),
        units(std::int64_t{images} * heights * segments),
        parts(std::min(units, (kPieces + y_rows - 1) / y_rows)),
        sums(std::int64_t{to.w} * to.c) {}

  int images, heights, segment, segments;
  std::int64_t y_rows, units, parts, sums;
};

using SumRunKernel = void (*)(const SumRun& run, double* sums);

void sum_part(const op::SumTo& op, const SumCut& cut, View<const float> x, View<const float> z,
              const Shape& to, std::int64_t task, double* sums) {
  const std::int64_t row = task / cut.parts, part = task % cut.parts;
  std::fill_n(sums, cut.sums, 0.0);
  for (std::int64_t unit = cut.units * part / cut.parts; unit < cut.units * (part + 1) / cut.parts;
       ++unit) {
    const std::int64_t source = unit / cut.segments;
    const int n = static_cast<int>(to.n == 1 ? source / cut.heights : row / to.h);
    const int h = static_cast<int>(to.h == 1 ? source % cut.heights : row % to.h);
    const int w = static_cast<int>(unit % cut.segments) * cut.segment;
    const SumRun run{x.pixel(n, h, w),
                     x.w_stride,
                     z ? z.pixel(n, h, w) : nullptr,
                     z.w_stride,
                     std::min(cut.segment, x.shape.w - w),
                     x.shape.c,
                     op.negative_part};
    if (to.c == 1 && x.shape.c > 1) {
      if (to.w == 1) {
        for (int pixel = 0; pixel < run.pixels; ++pixel) {
          SumRun one = run;
          one.x += pixel * run.x_stride;
          if (one.z != nullptr) one.z += pixel * run.z_stride;
          one.pixels = 1;
          HWY_DYNAMIC_DISPATCH(sum_channels)(one, sums);
        }
      } else {
        HWY_DYNAMIC_DISPATCH(sum_channels)(run, sums);
      }
    } else if (to.w == 1) {
      HWY_DYNAMIC_DISPATCH(sum_pixels)(run, sums);
    } else {
      HWY_DYNAMIC_DISPATCH(add_elements)(run, sums);
    }
  }
}

}  // namespace

std::int64_t sum_to_simd_scratch(const op::SumTo& op, const Shape& x) {
  const SumCut cut(x, op.to);
  return cut.y_rows * cut.parts * cut.sums * static_cast<std::int64_t>(sizeof(double));
}

void sum_to_simd(const op::SumTo& op, View<const float> x, View<const float> z, View<float> y,
                 Scratch scratch) {
  const Shape& to = y.shape;
  const SumCut cut(x.shape, to);
  double* sums = reinterpret_cast<double*>(scratch.data());
  parallel_for(cut.y_rows * cut.parts, [&](std::int64_t task, int) {
    sum_part(op, cut, x, z, to, task, sums + task * cut.sums);
  });
  parallel_for(cut.y_rows, [&](std::int64_t row, int) {
    const double* parts = sums + row * cut.parts * cut.sums;
    for (int w = 0; w < to.w; ++w) {
      float* pixel = y.pixel(static_cast<int>(row / to.h), static_cast<int>(row % to.h), w);
      for (int c = 0; c < to.c; ++c) {
        double sum = 0;
        for (std::int64_t part = 0; part < cut.parts; ++part) {
          sum += parts[part * cut.sums + std::int64_t{w} * to.c + c];
        }
        pixel[c] = static_cast<float>(sum);
      }
    }
  });
}

void affine_gradient_rows(const op::AffineGradient& op, View<const float> x, View<const float> dy,
                          View<float> y) {
  for_each_run(y.shape, [&](const Run& run) {
    for (int w = run.w; w < run.w + run.count; ++w) {
      const float* from = x.pixel(run.n, run.h, w);
      const float* gradient = dy.pixel(run.n, run.h, w);
      float* to = y.pixel(run.n, run.h, w);
      for (int c = 0; c < y.shape.c; ++c) {
        const float value = op.scale * from[c] + op.offset;
        to[c] = value >= op.low && value <= op.high ? op.scale * gradient[c] : 0.0f;
      }
    }
  });
}

}  // namespace mend
#endif
