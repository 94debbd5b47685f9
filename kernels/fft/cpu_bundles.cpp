// Both dimensions in bundles of 16 lanes (see bundles.h): a bundle of lines is gathered into working
// memory, transformed there, and scattered. So the strided passes over the tensor are one read and
// one write, of 64 or 128 neighbouring bytes each, however many stages a line needs, and a line of
// up to about 8000 pixels with its copy stays in a 2 MB L2.
//
// Rows are real: two of them are one complex line a + i·b, and Z = A + i·B comes apart by symmetry,
//   A[l] = (Z[l] + Z*[−l])/2,   B[l] = (Z[l] − Z*[−l])/2i.
// The inverse transform is the forward one with real and imaginary parts exchanged on both ends.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "engine/parallel.h"
#include "kernels/fft/rungs.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/fft/cpu_bundles.cpp"
#include "kernels/fft/line-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

HWY_INLINE void copy_floats(const float* from, float* to, int count) {
  std::memcpy(to, from, sizeof(float) * static_cast<std::size_t>(count));
}

/// 16 complex numbers as in the tensor (pairs) to one element, and back.
HWY_INLINE void split_pairs(const float* pairs, float* re, float* im) {
  const Lanes d;
  for (int lane = 0; lane < kBundle; lane += kLanes) {
    Vector real, imaginary;
    hn::LoadInterleaved2(d, pairs + 2 * lane, real, imaginary);
    hn::StoreU(real, d, re + lane);
    hn::StoreU(imaginary, d, im + lane);
  }
}
HWY_INLINE void join_pairs(const float* re, const float* im, float scale, float* pairs) {
  const Lanes d;
  const Vector factor = hn::Set(d, scale);
  for (int lane = 0; lane < kBundle; lane += kLanes) {
    hn::StoreInterleaved2(hn::Mul(hn::LoadU(d, re + lane), factor),
                          hn::Mul(hn::LoadU(d, im + lane), factor), d, pairs + 2 * lane);
  }
}

/// Pairs of rows of x to the first half of their spectra, in rows of y.
void forward_rows(const FftJob& job, const Windows<const float>& x, const Windows<float>& y,
                  std::int64_t bundle, float* work, float* spare) {
  const Segments segments(bundle, job.row_lanes(), job.row_pairs(), job.channels);
  const int W = job.width;
  for (const Segment& segment : segments) {
    const int h = 2 * segment.line;
    const bool paired = h + 1 < job.height;
    const float* first = x.at(segment.window, h, 0) + segment.channel;
    const float* second = first + (paired ? x.h_stride : 0);
    float* to = work + segment.lane;
    for (int w = 0; w < W; ++w, to += kElement) {
      copy_floats(first + w * x.w_stride, to, segment.count);
      copy_floats(second + w * x.w_stride, to + kBundle, segment.count);
    }
  }
  const float* z = transform_lines(*job.along_w, work, spare);
  const Lanes d;
  const Vector half = hn::Set(d, 0.5f);
  HWY_ALIGN float a[kElement], b[kElement];  // spectra of the first and the second row, in pairs
  for (int l = 0; l < job.columns(); ++l) {
    const float* ahead = z + std::int64_t{l} * kElement;
    const float* behind = z + std::int64_t{l == 0 ? 0 : W - l} * kElement;
    for (int lane = 0; lane < kBundle; lane += kLanes) {
      const ComplexVector p = load(ahead + lane), m = load(behind + lane);
      hn::StoreInterleaved2(hn::Mul(half, hn::Add(p.re, m.re)), hn::Mul(half, hn::Sub(p.im, m.im)),
                            d, a + 2 * lane);
      hn::StoreInterleaved2(hn::Mul(half, hn::Add(p.im, m.im)), hn::Mul(half, hn::Sub(m.re, p.re)),
                            d, b + 2 * lane);
    }
    for (const Segment& segment : segments) {
      const int h = 2 * segment.line;
      float* to = y.at(segment.window, h, l) + 2 * segment.channel;
      copy_floats(a + 2 * segment.lane, to, 2 * segment.count);
      if (h + 1 < job.height) {
        copy_floats(b + 2 * segment.lane, to + y.h_stride, 2 * segment.count);
      }
    }
  }
}

/// Columns of the half spectra in x to y, which may be x: a complex transform in either direction.
template <bool kInverse>
HWY_INLINE void columns(const FftJob& job, const Windows<const float>& x, const Windows<float>& y,
                        float scale, std::int64_t bundle, float* work, float* spare) {
  constexpr int kRe = kInverse ? kBundle : 0, kIm = kInverse ? 0 : kBundle;
  const Segments segments(bundle, job.column_lanes(), job.columns(), job.channels);
  HWY_ALIGN float pairs[kElement] = {};
  for (int h = 0; h < job.height; ++h) {
    for (const Segment& segment : segments) {
      copy_floats(x.at(segment.window, h, segment.line) + 2 * segment.channel,
                  pairs + 2 * segment.lane, 2 * segment.count);
    }
    float* element = work + std::int64_t{h} * kElement;
    split_pairs(pairs, element + kRe, element + kIm);
  }
  const float* z = transform_lines(*job.along_h, work, spare);
  for (int k = 0; k < job.height; ++k) {
    const float* element = z + std::int64_t{k} * kElement;
    join_pairs(element + kRe, element + kIm, scale, pairs);
    for (const Segment& segment : segments) {
      copy_floats(pairs + 2 * segment.lane,
                  y.at(segment.window, k, segment.line) + 2 * segment.channel, 2 * segment.count);
    }
  }
}

void forward_columns(const FftJob& job, const Windows<float>& y, std::int64_t bundle, float* work,
                     float* spare) {
  columns<false>(job, {y.first, y.stride, y.h_stride, y.w_stride}, y, job.scale, bundle, work,
                 spare);
}
void inverse_columns(const FftJob& job, const Windows<const float>& x, const Windows<float>& z,
                     std::int64_t bundle, float* work, float* spare) {
  columns<true>(job, x, z, 1, bundle, work, spare);
}

/// Half spectra of rows, in z, to the rows of y.
void inverse_rows(const FftJob& job, const Windows<const float>& z, const Windows<float>& y,
                  std::int64_t bundle, float* work, float* spare) {
  const Segments segments(bundle, job.row_lanes(), job.row_pairs(), job.channels);
  const int W = job.width;
  const Lanes d;
  HWY_ALIGN float a[kElement] = {}, b[kElement] = {};  // as in forward_rows
  for (int l = 0; l < job.columns(); ++l) {
    for (const Segment& segment : segments) {
      const int h = 2 * segment.line;
      const float* from = z.at(segment.window, h, l) + 2 * segment.channel;
      copy_floats(from, a + 2 * segment.lane, 2 * segment.count);
      if (h + 1 < job.height) {
        copy_floats(from + z.h_stride, b + 2 * segment.lane, 2 * segment.count);
      } else {
        std::fill_n(b + 2 * segment.lane, 2 * segment.count, 0.0f);
      }
    }
    const bool alone = l == 0 || 2 * l == W;  // its own conjugate: only the real part counts
    float* ahead = work + std::int64_t{l} * kElement;
    float* behind = work + std::int64_t{W - l} * kElement;
    for (int lane = 0; lane < kBundle; lane += kLanes) {
      ComplexVector p, m;
      hn::LoadInterleaved2(d, a + 2 * lane, p.re, p.im);
      hn::LoadInterleaved2(d, b + 2 * lane, m.re, m.im);
      if (alone) {
        store({m.re, p.re}, ahead + lane);  // real and imaginary parts exchanged: see above
        continue;
      }
      store({hn::Add(p.im, m.re), hn::Sub(p.re, m.im)}, ahead + lane);
      store({hn::Sub(m.re, p.im), hn::Add(p.re, m.im)}, behind + lane);
    }
  }
  float* rows = transform_lines(*job.along_w, work, spare);
  const Vector factor = hn::Set(d, job.scale);
  for (float* lane = rows; lane < rows + std::int64_t{W} * kElement; lane += kLanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, lane), factor), d, lane);
  }
  for (const Segment& segment : segments) {
    const int h = 2 * segment.line;
    float* first = y.at(segment.window, h, 0) + segment.channel;
    const float* from = rows + segment.lane;
    for (int w = 0; w < W; ++w, first += y.w_stride, from += kElement) {
      copy_floats(from + kBundle, first, segment.count);
      if (h + 1 < job.height) copy_floats(from, first + y.h_stride, segment.count);
    }
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(forward_rows);
HWY_EXPORT(forward_columns);
HWY_EXPORT(inverse_rows);
HWY_EXPORT(inverse_columns);

namespace {

/// What both directions need: the size of a window, its tables, and the working memory.
struct Setting {
  Setting(const Shape& image, int patch)
      : height(patch > 0 ? patch : image.h),
        width(patch > 0 ? patch : image.w),
        channels(image.c),
        across(patch > 0 ? image.w / patch : 1),
        along_h(fft_tables(height)),
        along_w(fft_tables(width)) {}

  FftJob job(std::int64_t windows, float scale) const {
    return {windows, height, width, channels, along_h.get(), along_w.get(), scale};
  }
  /// Floats of one of the two buffers that a bundle of lines needs.
  std::int64_t line() const {
    return std::int64_t{kElement} * std::max(along_h->work_length(), along_w->work_length());
  }
  std::int64_t spectrum_columns() const { return std::int64_t{across} * (width / 2 + 1); }
  /// Floats of the spectra of one row of windows.
  std::int64_t spectra() const { return height * spectrum_columns() * 2 * channels; }

  int height, width, channels;
  int across;  ///< windows side by side
  std::shared_ptr<const FftTables> along_h, along_w;
};

/// The images of a batch as windows, or one row of patches, `step` columns apart, from row h.
template <class T>
Windows<T> images(const View<T>& x) {
  return {x.data, x.n_stride, x.h_stride, x.w_stride};
}
template <class T>
Windows<T> patches(const View<T>& x, int n, int h, int step) {
  return {x.pixel(n, h, 0), step * x.w_stride, x.h_stride, x.w_stride};
}

/// Dense spectra at `first`, to be used as images(), or as patches() if there are several across.
Windows<float> spectra_at(float* first, const Setting& setting) {
  const std::int64_t pixel = 2 * setting.channels, row = setting.spectrum_columns() * pixel;
  const bool side_by_side = setting.across > 1;
  return {first, side_by_side ? (setting.width / 2 + 1) * pixel : setting.height * row, row, pixel};
}

Windows<const float> read_only(const Windows<float>& x) {
  return {x.first, x.stride, x.h_stride, x.w_stride};
}

/// body(bundle, line buffer, another) for every bundle of `lanes`, on all threads.
template <class Body>
void for_each_bundle(std::int64_t lanes, float* work, std::int64_t line, const Body& body) {
  parallel_for(bundles(lanes), [&](std::int64_t bundle, int thread) {
    float* buffer = work + 2 * line * thread;
    body(bundle, buffer, buffer + line);
  });
}

}  // namespace

std::int64_t real_fft2_bundles_scratch(const op::RealFft2& op, const Shapes& in) {
  return std::int64_t{sizeof(float)} * 2 * Setting(in[0], op.patch).line() * threads();
}

void real_fft2_bundles(const op::RealFft2& op, View<const float> x, View<float> y,
                       Scratch scratch) {
  const Setting setting(x.shape, op.patch);
  const int P = setting.height;
  const float scale = static_cast<float>(fft_scale(op.norm, false, P, setting.width));
  const std::int64_t line = setting.line();
  float* work = reinterpret_cast<float*>(scratch.data());
  if (op.patch == 0) {
    const FftJob job = setting.job(x.shape.n, scale);
    const auto from = images(x);
    const auto to = images(y);
    for_each_bundle(job.row_lanes(), work, line, [&](std::int64_t b, float* buffer, float* spare) {
      HWY_DYNAMIC_DISPATCH(forward_rows)(job, from, to, b, buffer, spare);
    });
    for_each_bundle(job.column_lanes(), work, line,
                    [&](std::int64_t b, float* buffer, float* spare) {
                      HWY_DYNAMIC_DISPATCH(forward_columns)(job, to, b, buffer, spare);
                    });
    return;
  }
  const FftJob job = setting.job(setting.across, scale);
  const int rows = x.shape.h / P;
  parallel_for(std::int64_t{x.shape.n} * rows, [&](std::int64_t task, int thread) {
    const int n = static_cast<int>(task / rows), h = static_cast<int>(task % rows) * P;
    const auto from = patches(x, n, h, P);
    const auto to = patches(y, n, h, P / 2 + 1);
    float* buffer = work + 2 * line * thread;
    for (std::int64_t b = 0; b < bundles(job.row_lanes()); ++b) {
      HWY_DYNAMIC_DISPATCH(forward_rows)(job, from, to, b, buffer, buffer + line);
    }
    for (std::int64_t b = 0; b < bundles(job.column_lanes()); ++b) {
      HWY_DYNAMIC_DISPATCH(forward_columns)(job, to, b, buffer, buffer + line);
    }
  });
}

std::int64_t inverse_real_fft2_bundles_scratch(const op::InverseRealFft2& op, const Shapes& in) {
  const Setting setting(op.shape(in), op.patch);
  const std::int64_t spectra = setting.spectra() * (op.patch > 0 ? threads() : in[0].n);
  return std::int64_t{sizeof(float)} * (2 * setting.line() * threads() + spectra);
}

void inverse_real_fft2_bundles(const op::InverseRealFft2& op, View<const float> x, View<float> y,
                               Scratch scratch) {
  const Setting setting(y.shape, op.patch);
  const int P = setting.height;
  const float scale = static_cast<float>(fft_scale(op.norm, true, P, setting.width));
  const std::int64_t line = setting.line();
  float* work = reinterpret_cast<float*>(scratch.data());
  float* spectra = work + 2 * line * threads();
  if (op.patch == 0) {
    const FftJob job = setting.job(x.shape.n, scale);
    const auto from = images(x);
    const auto between = spectra_at(spectra, setting);
    const auto to = images(y);
    for_each_bundle(job.column_lanes(), work, line,
                    [&](std::int64_t b, float* buffer, float* spare) {
                      HWY_DYNAMIC_DISPATCH(inverse_columns)(job, from, between, b, buffer, spare);
                    });
    for_each_bundle(job.row_lanes(), work, line, [&](std::int64_t b, float* buffer, float* spare) {
      HWY_DYNAMIC_DISPATCH(inverse_rows)(job, read_only(between), to, b, buffer, spare);
    });
    return;
  }
  const FftJob job = setting.job(setting.across, scale);
  const int rows = y.shape.h / P;
  parallel_for(std::int64_t{y.shape.n} * rows, [&](std::int64_t task, int thread) {
    const int n = static_cast<int>(task / rows), h = static_cast<int>(task % rows) * P;
    const auto from = patches(x, n, h, P / 2 + 1);
    const auto between = spectra_at(spectra + setting.spectra() * thread, setting);
    const auto to = patches(y, n, h, P);
    float* buffer = work + 2 * line * thread;
    for (std::int64_t b = 0; b < bundles(job.column_lanes()); ++b) {
      HWY_DYNAMIC_DISPATCH(inverse_columns)(job, from, between, b, buffer, buffer + line);
    }
    for (std::int64_t b = 0; b < bundles(job.row_lanes()); ++b) {
      HWY_DYNAMIC_DISPATCH(inverse_rows)(job, read_only(between), to, b, buffer, buffer + line);
    }
  });
}

}  // namespace mend
#endif
