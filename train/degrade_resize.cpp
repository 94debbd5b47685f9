#include <algorithm>
#include <cmath>

#include "restore/imresize.h"
#include "train/degradation_steps.h"

namespace mend {
namespace {

/// A filter's weight at distance x in units of the coarser grid's pixels, 0 from `support` on.
struct ResizeFilter {
  double support;
  double (*weight)(double x);
};

double box(double x) { return x >= -0.5 && x < 0.5 ? 1 : 0; }
double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }
/// Keys 1981 with a = −0.75, OpenCV's and PyTorch's; MATLAB's a = −0.5 is in imresize.h.
double cubic(double x) {
  constexpr double a = -0.75;
  const double r = std::abs(x);
  if (r <= 1) return ((a + 2) * r - (a + 3)) * r * r + 1;
  if (r < 2) return ((a * r - 5 * a) * r + 8 * a) * r - 4 * a;
  return 0;
}

ResizeFilter filter_of(const std::string& name) {
  if (name == "area") return {0.5, box};
  if (name == "bilinear") return {1, triangle};
  return {2, cubic};
}

/// One output's input pixels [first, first + weights.size()), repeated at the border by clamping.
struct Tap {
  int first;
  std::vector<float> weights;
};

std::vector<Tap> taps_of(int from, int to, const ResizeFilter& filter) {
  const double ratio = static_cast<double>(from) / to;  // input pixels an output pixel
  const double stretch = std::max(1.0, ratio);          // against aliasing
  std::vector<Tap> taps;
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * ratio;
    const int first = static_cast<int>(std::floor(centre - filter.support * stretch));
    const int last = static_cast<int>(std::ceil(centre + filter.support * stretch));
    Tap tap{first, {}};
    double sum = 0;
    for (int j = first; j <= last; ++j) {
      const double weight = filter.weight((j + 0.5 - centre) / stretch);
      tap.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& weight : tap.weights) weight = static_cast<float>(weight / sum);
    taps.push_back(std::move(tap));
  }
  return taps;
}

Tensor resized_rows(const Tensor& x, int height, const ResizeFilter& filter) {
  const Shape shape = x.shape();
  Tensor y = Tensor::zeros({1, height, shape.w, shape.c});
  const std::vector<Tap> taps = taps_of(shape.h, height, filter);
  const int row_floats = shape.w * shape.c;
  for (int p = 0; p < height; ++p) {
    float* out = y.view<float>().pixel(0, p, 0);
    for (std::size_t k = 0; k < taps[p].weights.size(); ++k) {
      const int row = std::clamp(taps[p].first + static_cast<int>(k), 0, shape.h - 1);
      const float* in = x.view<const float>().pixel(0, row, 0);
      const float weight = taps[p].weights[k];
      for (int i = 0; i < row_floats; ++i) out[i] += weight * in[i];
    }
  }
  return y;
}

Tensor resized_columns(const Tensor& x, int width, const ResizeFilter& filter) {
  const Shape shape = x.shape();
  Tensor y = Tensor::zeros({1, shape.h, width, shape.c});
  const std::vector<Tap> taps = taps_of(shape.w, width, filter);
  for (int p = 0; p < shape.h; ++p) {
    const float* row = x.view<const float>().pixel(0, p, 0);
    float* out = y.view<float>().pixel(0, p, 0);
    for (int q = 0; q < width; ++q, out += shape.c) {
      for (std::size_t k = 0; k < taps[q].weights.size(); ++k) {
        const int column = std::clamp(taps[q].first + static_cast<int>(k), 0, shape.w - 1);
        for (int c = 0; c < shape.c; ++c) out[c] += taps[q].weights[k] * row[column * shape.c + c];
      }
    }
  }
  return y;
}

Tensor nearest(const Tensor& x, int height, int width) {
  const Shape shape = x.shape();
  Tensor y = Tensor::empty({1, height, width, shape.c});
  for (int p = 0; p < height; ++p)
    for (int q = 0; q < width; ++q) {
      const auto row = static_cast<int>(std::int64_t{p} * shape.h / height);
      const auto column = static_cast<int>(std::int64_t{q} * shape.w / width);
      std::copy_n(x.view<const float>().pixel(0, row, column), shape.c,
                  y.view<float>().pixel(0, p, q));
    }
  return y;
}

Tensor resize(const Tensor& x, int height, int width, std::string filter, RandomStream& random) {
  if (filter == "random") {
    constexpr const char* kDrawn[] = {"area", "bilinear", "bicubic"};
    filter = kDrawn[random.below(3)];
  }
  if (height == x.shape().h && width == x.shape().w) return x;
  if (filter == "nearest") return nearest(x, height, width);
  const ResizeFilter by = filter_of(filter);
  return resized_columns(resized_rows(x, height, by), width, by);
}

const std::set<std::string> kFilters = {"area", "bilinear", "bicubic", "nearest", "random"};

}  // namespace

Degradation make_resize(StepParameters& parameters) {
  std::set<std::string> filters = kFilters;
  filters.insert("matlab");
  const Range scale = parameters.range("scale", 0.05, 4);
  const std::string filter = parameters.word("filter", filters, "random");
  return [=](const Tensor& x, const DegradationContext& context) {
    const double by = scale.draw(context.random);
    if (filter == "matlab") return imresize(x, by);
    const auto extent = [&](int pixels) {
      return std::max(1, static_cast<int>(std::lround(pixels * by)));
    };
    return resize(x, extent(x.shape().h), extent(x.shape().w), filter, context.random);
  };
}

Degradation make_fit(StepParameters& parameters) {
  const std::string filter = parameters.word("filter", kFilters, "random");
  return [=](const Tensor& x, const DegradationContext& context) {
    return resize(x, context.height, context.width, filter, context.random);
  };
}

}  // namespace mend
