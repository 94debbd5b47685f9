#include "restore/face_geometry.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>

#include "engine/error.h"
#include "engine/parallel.h"

namespace mend {
namespace {

Point mean(const FacePoints& points) {
  Point sum;
  for (const Point& p : points) sum = {sum.x + p.x, sum.y + p.y};
  return {sum.x / 5, sum.y / 5};
}

/// A plane of numbers and its transpose take turns, so that both directions are rows.
struct Plane {
  Plane(int height, int width)
      : h(height), w(width), values(static_cast<std::size_t>(height) * width) {}
  float* row(int y) { return values.data() + static_cast<std::size_t>(y) * w; }
  const float* row(int y) const { return values.data() + static_cast<std::size_t>(y) * w; }

  int h, w;
  std::vector<float> values;
};

/// filter(row, result) on each row, and then on each column.
Plane in_both_directions(Plane plane,
                         const std::function<void(const float* x, float* y, int count)>& filter) {
  for (int direction = 0; direction < 2; ++direction) {
    Plane turned(plane.w, plane.h);
    parallel_for(plane.h, [&](std::int64_t row, int) {
      const int y = static_cast<int>(row);
      std::vector<float> result(static_cast<std::size_t>(plane.w));
      filter(plane.row(y), result.data(), plane.w);
      for (int x = 0; x < plane.w; ++x) turned.row(x)[y] = result[static_cast<std::size_t>(x)];
    });
    plane = std::move(turned);
  }
  return plane;
}

/// y[i] = the least of x[i − before ... i + behind], as far as they exist. The deque holds positions
/// of ever larger numbers, so each enters and leaves once, whatever the width.
void sliding_minimum(const float* x, float* y, int count, int before, int behind) {
  std::deque<int> smallest;
  for (int i = 0; i < count + behind; ++i) {
    if (i < count) {
      while (!smallest.empty() && x[smallest.back()] >= x[i]) smallest.pop_back();
      smallest.push_back(i);
    }
    const int at = i - behind;
    if (at < 0) continue;
    while (smallest.front() < at - before) smallest.pop_front();
    y[at] = x[smallest.front()];
  }
}

/// OpenCV's erosion by a square of `size` pixels, whose centre is pixel size/2.
Plane eroded(Plane plane, int size) {
  const int before = size / 2, behind = size - 1 - before;
  return in_both_directions(std::move(plane), [=](const float* x, float* y, int count) {
    sliding_minimum(x, y, count, before, behind);
  });
}

/// OpenCV's Gaussian over 2·radius + 1 pixels with the deviation that it takes for that, mirrored
/// without the edge pixel.
Plane blurred(Plane plane, int radius) {
  const double sigma = 0.3 * (radius - 1) + 0.8;
  std::vector<double> weights;
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) {
    weights.push_back(std::exp(-0.5 * i * i / (sigma * sigma)));
    sum += weights.back();
  }
  return in_both_directions(std::move(plane), [&](const float* x, float* y, int count) {
    const auto mirrored = [count](int i) {
      if (count == 1) return 0;
      const int period = 2 * (count - 1), rest = ((i % period) + period) % period;
      return rest < count ? rest : period - rest;
    };
    for (int i = 0; i < count; ++i) {
      double total = 0;
      for (int k = -radius; k <= radius; ++k) {
        const int at = i + k >= 0 && i + k < count ? i + k : mirrored(i + k);
        total += weights[static_cast<std::size_t>(k + radius)] * x[at];
      }
      y[i] = static_cast<float>(total / sum);
    }
  });
}

Tensor tensor_of(const Plane& plane) {
  return Tensor::from({1, plane.h, plane.w, 1}, plane.values);
}

}  // namespace

Similarity Similarity::inverse() const {
  const double square = a * a + b * b;
  const double ia = a / square, ib = -b / square;
  return {ia, ib, -(ia * x0 - ib * y0), -(ib * x0 + ia * y0)};
}

Similarity Similarity::then(const Similarity& next) const {
  const Point shift = next({x0, y0});
  return {next.a * a - next.b * b, next.b * a + next.a * b, shift.x, shift.y};
}

FacePoints face_template(int size) {
  constexpr FacePoints k512 = {{{192.98138, 239.94708},
                                {318.90277, 240.1936},
                                {256.63416, 314.01935},
                                {201.26117, 371.41043},
                                {313.08905, 371.15118}}};
  FacePoints points = k512;
  for (Point& p : points) p = {p.x * size / 512, p.y * size / 512};
  return points;
}

Similarity fit_similarity(const FacePoints& from, const FacePoints& to) {
  const Point centre = mean(from), target = mean(to);
  double square = 0, along = 0, across = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Point f{from[i].x - centre.x, from[i].y - centre.y};
    const Point t{to[i].x - target.x, to[i].y - target.y};
    square += f.x * f.x + f.y * f.y;
    along += f.x * t.x + f.y * t.y;
    across += f.x * t.y - f.y * t.x;
  }
  const double a = along / square, b = across / square;
  // Half a pixel between the points: no face, and nothing that could be told from noise.
  if (!std::isfinite(square) || square < 1 || !(a * a + b * b > 1e-12)) {
    throw UsageError(
        "the five points of a face must lie apart: both eyes, nose, both corners of the mouth, "
        "those on the left of the picture first");
  }
  return {a, b, target.x - (a * centre.x - b * centre.y), target.y - (b * centre.x + a * centre.y)};
}

Tensor warp(const Tensor& x, const Similarity& transform, const Rectangle& window,
            const std::vector<float>& border) {
  const auto [N, H, W, C] = x.shape();
  const Tensor y = Tensor::empty({1, window.h, window.w, C});
  const View<const float> from = x.view<const float>();
  const View<float> to = y.view<float>();
  const Similarity back = transform.inverse();
  parallel_for(window.h, [&, H = H, W = W, C = C](std::int64_t row, int) {
    for (int column = 0; column < window.w; ++column) {
      const Point p = back({static_cast<double>(window.x + column), window.y + double(row)});
      float* result = to.pixel(0, static_cast<int>(row), column);
      if (!(p.x > -1 && p.x < W && p.y > -1 && p.y < H)) {
        std::copy(border.begin(), border.end(), result);
        continue;
      }
      const int left = static_cast<int>(std::floor(p.x)), top = static_cast<int>(std::floor(p.y));
      const double u = p.x - left, v = p.y - top;
      const auto pixel = [&](int h, int w) {
        return h >= 0 && h < H && w >= 0 && w < W ? from.pixel(0, h, w) : border.data();
      };
      const float *a = pixel(top, left), *b = pixel(top, left + 1);
      const float *c = pixel(top + 1, left), *d = pixel(top + 1, left + 1);
      for (int i = 0; i < C; ++i) {
        result[i] = static_cast<float>((1 - v) * ((1 - u) * a[i] + u * b[i]) +
                                       v * ((1 - u) * c[i] + u * d[i]));
      }
    }
  });
  return y;
}

Rectangle reached(const Similarity& transform, int size, int height, int width) {
  const double end = size;  // a pixel beyond the last: interpolation reaches that far
  double left = width, right = -1, top = height, bottom = -1;
  for (const Point corner : {Point{-1, -1}, Point{end, -1}, Point{-1, end}, Point{end, end}}) {
    const Point p = transform(corner);
    left = std::min(left, p.x);
    right = std::max(right, p.x);
    top = std::min(top, p.y);
    bottom = std::max(bottom, p.y);
  }
  const auto clipped = [](double value, int extent) {
    return static_cast<int>(std::clamp(value, 0.0, static_cast<double>(extent)));
  };
  const int x = clipped(std::floor(left) - 2, width), y = clipped(std::floor(top) - 2, height);
  const int x_end = clipped(std::ceil(right) + 3, width);
  const int y_end = clipped(std::ceil(bottom) + 3, height);
  return {y, x, std::max(y_end - y, 0), std::max(x_end - x, 0)};
}

PasteMask paste_mask(const Similarity& transform, int size, const Rectangle& window) {
  const Tensor square = Tensor::full({1, size, size, 1}, 1.0f);
  const Tensor warped = warp(square, transform, window, {0.0f});
  Plane face(window.h, window.w);
  const View<const float> values = warped.view<const float>();
  for (int y = 0; y < window.h; ++y)
    for (int x = 0; x < window.w; ++x) face.row(y)[x] = values(0, y, x, 0);
  face = eroded(std::move(face), 2);
  double area = 0;
  for (const float value : face.values) area += value;
  const int edge = static_cast<int>(std::sqrt(area)) / 20;
  Plane soft = edge == 0 ? face : blurred(eroded(face, 2 * edge), edge);
  return {tensor_of(face), tensor_of(soft)};
}

}  // namespace mend
