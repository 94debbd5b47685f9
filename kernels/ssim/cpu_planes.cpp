// Plane by plane in double, the planes on all threads. This is the truth and fast enough beside a network's
// other steps.
#include <algorithm>
#include <array>
#include <memory_resource>
#include <vector>

#include "engine/parallel.h"
#include "engine/scratch_memory.h"
#include "kernels/ssim/rungs.h"
#include "kernels/ssim/ssim.h"
#include "kernels/ssim/terms.h"

namespace mend {
namespace {

/// One plane in double, row by row.
struct Plane {
  int height, width;
  std::pmr::vector<double> values;

  Plane(int h, int w, std::pmr::memory_resource& memory)
      : height(h), width(w), values(static_cast<std::size_t>(h) * w, &memory) {}
  double* row(int h) { return &values[static_cast<std::size_t>(h) * width]; }
  const double* row(int h) const { return &values[static_cast<std::size_t>(h) * width]; }
  void clear() { std::ranges::fill(values, 0.0); }
};

constexpr int kMostPlanes = 12;  // of one thread

/// Planes that a thread's memory holds, for images of H x W.
struct Planes {
  Planes(int H, int W, std::pmr::memory_resource& memory)
      : x(H, W, memory),
        y(H, W, memory),
        product(H, W, memory),
        between(H - kSsimTaps + 1, W, memory),
        moments{window(H, W, memory), window(H, W, memory), window(H, W, memory),
                window(H, W, memory), window(H, W, memory)},
        spread{{H, W, memory}, {H, W, memory}, {H, W, memory}} {}

  static Plane window(int H, int W, std::pmr::memory_resource& memory) {
    return {H - kSsimTaps + 1, W - kSsimTaps + 1, memory};
  }

  Plane x, y, product;
  Plane between;                ///< of two passes, down and across
  Plane moments[kSsimMoments];  ///< of the windows; then the first three have the slopes by them
  Plane spread[3];
};

/// The weighted mean of every window that lies wholly inside x: [H,W] -> [H−T+1, W−T+1].
void window_means(const Plane& x, const SsimTaps& taps, Plane& down, Plane& y) {
  constexpr int T = kSsimTaps;
  down.clear();
  y.clear();
  for (int h = 0; h < y.height; ++h) {
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < x.width; ++w) down.row(h)[w] += taps.weights[k] * x.row(h + k)[w];
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < y.width; ++w) y.row(h)[w] += taps.weights[k] * down.row(h)[w + k];
  }
}

/// Its transpose: what every window holds goes back to its pixels, [H−T+1, W−T+1] -> [H,W].
void spread_windows(const Plane& y, const SsimTaps& taps, Plane& across, Plane& x) {
  constexpr int T = kSsimTaps;
  across.clear();
  x.clear();
  for (int h = 0; h < y.height; ++h) {
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < y.width; ++w) across.row(h)[w + k] += taps.weights[k] * y.row(h)[w];
    for (int k = 0; k < T; ++k)
      for (int w = 0; w < x.width; ++w) x.row(h + k)[w] += taps.weights[k] * across.row(h)[w];
  }
}

const Plane& product_of(const Plane& a, const Plane& b, Plane& y) {
  for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] = a.values[i] * b.values[i];
  return y;
}

void fetch(const View<const float>& from, int n, int c, Plane& plane) {
  for (int h = 0; h < plane.height; ++h)
    for (int w = 0; w < plane.width; ++w) plane.row(h)[w] = from(n, h, w, c);
}

/// Σ SSIM over the windows of one plane; scale · dΣ/dx goes to channel c of image n of `gradient`.
double similarity_and_gradient(Planes& planes, const SsimTaps& taps, double scale,
                               const View<float>& gradient, int n, int c) {
  auto& [x, y, product, between, moments, spread] = planes;
  window_means(x, taps, between, moments[0]);
  window_means(y, taps, between, moments[1]);
  window_means(product_of(x, x, product), taps, between, moments[2]);
  window_means(product_of(y, y, product), taps, between, moments[3]);
  window_means(product_of(x, y, product), taps, between, moments[4]);
  double total = 0;
  for (std::size_t i = 0; i < moments[0].values.size(); ++i) {
    double of_window[kSsimMoments];
    for (int moment = 0; moment < kSsimMoments; ++moment)
      of_window[moment] = moments[moment].values[i];
    const SsimTerms terms = ssim_terms(of_window);
    total += terms.ssim;
    moments[0].values[i] = terms.by_x;
    moments[1].values[i] = terms.by_xx;
    moments[2].values[i] = terms.by_xy;
  }
  if (!gradient) return total;
  for (int i = 0; i < 3; ++i) spread_windows(moments[i], taps, between, spread[i]);
  for (int h = 0; h < x.height; ++h)
    for (int w = 0; w < x.width; ++w) {
      const double slope = spread[0].row(h)[w] + 2 * x.row(h)[w] * spread[1].row(h)[w] +
                           y.row(h)[w] * spread[2].row(h)[w];
      gradient(n, h, w, c) = static_cast<float>(scale * slope);
    }
  return total;
}

std::int64_t scratch_of_thread(const Shape& x) {
  return kMostPlanes * std::int64_t{x.h} * x.w * static_cast<std::int64_t>(sizeof(double));
}

}  // namespace

std::int64_t ssim_loss_scratch(const Shape& x) { return threads() * scratch_of_thread(x); }

double ssim_loss(const SsimTaps& taps, View<const float> x, View<const float> target,
                 View<float> gradient, Scratch scratch) {
  constexpr std::int64_t kMostParts = 256;  // for any number of threads
  const auto [N, H, W, C] = x.shape;
  const double windows = static_cast<double>(N) * C * (H - kSsimTaps + 1) * (W - kSsimTaps + 1);
  const std::int64_t planes = std::int64_t{N} * C, parts = std::min(planes, kMostParts);
  std::array<double, kMostParts> sums{};
  const auto room = static_cast<std::size_t>(scratch_of_thread(x.shape));
  parallel_for(parts, [&, H = H, W = W, C = C](std::int64_t part, int thread) {
    ScratchMemory memory(scratch.subspan(static_cast<std::size_t>(thread) * room, room));
    Planes own(H, W, memory);
    double sum = 0;
    for (std::int64_t plane = part * planes / parts; plane < (part + 1) * planes / parts; ++plane) {
      const int n = static_cast<int>(plane / C), c = static_cast<int>(plane % C);
      fetch(x, n, c, own.x);
      fetch(target, n, c, own.y);
      sum += similarity_and_gradient(own, taps, -1 / windows, gradient, n, c);
    }
    sums[static_cast<std::size_t>(part)] = sum;
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return 1 - total / windows;
}

void ssim_loss_planes(const SsimTaps& taps, View<const float> x, View<const float> target,
                      View<float> y, Scratch scratch) {
  *y.data = static_cast<float>(ssim_loss(taps, x, target, {}, scratch));
}

void ssim_loss_gradient_planes(const SsimTaps& taps, View<const float> x, View<const float> target,
                               View<float> y, Scratch scratch) {
  ssim_loss(taps, x, target, y, scratch);
}

}  // namespace mend
