#include <algorithm>
#include <cmath>
#include <numbers>

#include "train/degradation_steps.h"

namespace mend {
namespace {

/// Mixes `colour` into the pixels within `radius` of (y, x), by the part that the disc covers.
void draw_dot(const View<float>& to, double y, double x, double radius, double opacity,
              float colour) {
  const int reach = static_cast<int>(std::ceil(radius + 1));
  const int top = static_cast<int>(std::floor(y)), left = static_cast<int>(std::floor(x));
  for (int p = std::max(0, top - reach); p <= std::min(to.shape.h - 1, top + reach); ++p)
    for (int q = std::max(0, left - reach); q <= std::min(to.shape.w - 1, left + reach); ++q) {
      const double covered = std::clamp(radius + 0.5 - std::hypot(p - y, q - x), 0.0, 1.0);
      if (covered == 0) continue;
      const auto share = static_cast<float>(covered * opacity);
      float* pixel = to.pixel(0, p, q);
      for (int c = 0; c < to.shape.c; ++c) pixel[c] += share * (colour - pixel[c]);
    }
}

float mark_colour(RandomStream& random) {
  return static_cast<float>(random.chance(0.7) ? random.uniform(0.75, 1) : random.uniform(0, 0.2));
}

/// A line that wanders from a random place until its length is used up.
void draw_scratch(const View<float>& to, RandomStream& random) {
  double y = random.uniform(0, to.shape.h), x = random.uniform(0, to.shape.w);
  double angle = random.uniform(0, 2 * std::numbers::pi);
  const double radius = random.uniform(0.3, 1.5), opacity = random.uniform(0.5, 1);
  const float colour = mark_colour(random);
  const auto length = static_cast<int>(random.uniform(0.2, 1.5) * std::max(to.shape.h, to.shape.w));
  for (int step = 0; step < length; ++step) {
    draw_dot(to, y, x, radius, opacity, colour);
    angle += 0.04 * random.gaussian();
    y += std::sin(angle);
    x += std::cos(angle);
  }
}

struct Point {
  double y, x;
};

/// A curve from a to b by way of `bend` (a quadratic Bezier), by dots half a pixel apart.
void draw_stroke(const View<float>& to, Point a, Point bend, Point b, double radius, float colour) {
  const double length =
      std::hypot(bend.y - a.y, bend.x - a.x) + std::hypot(b.y - bend.y, b.x - bend.x);
  const int dots = 2 + static_cast<int>(2 * length);
  for (int i = 0; i < dots; ++i) {
    const double t = static_cast<double>(i) / (dots - 1), s = 1 - t;
    draw_dot(to, s * s * a.y + 2 * s * t * bend.y + t * t * b.y,
             s * s * a.x + 2 * s * t * bend.x + t * t * b.x, radius, 1, colour);
  }
}

/// One to four joined strokes between the points of a grid of 3 x 2, as those of letters are, half of
/// them straight. The letter's foot is at `foot`, the line of writing runs along `angle`.
void draw_letter(const View<float>& to, RandomStream& random, Point foot, double size, double angle,
                 double radius, float colour) {
  const auto point = [&] {
    const double up = 0.5 * size * random.below(3), along = 0.5 * size * random.below(2);
    return Point{foot.y + std::sin(angle) * along - std::cos(angle) * up,
                 foot.x + std::cos(angle) * along + std::sin(angle) * up};
  };
  Point from = point();
  for (int left = 1 + random.below(4); left > 0; --left) {
    const Point end = point();
    const Point bend = random.chance(0.5) ? from : point();
    draw_stroke(to, from, bend, end, radius, colour);
    from = end;
  }
}

void draw_line_of_text(const View<float>& to, RandomStream& random, double size) {
  const double angle = random.chance(0.7) ? 0 : random.uniform(-0.5, 0.5);
  const double radius = std::max(0.4, size * random.uniform(0.02, 0.08));
  const float colour = mark_colour(random);
  Point foot{random.uniform(0, to.shape.h + size), random.uniform(-0.2, 0.7) * to.shape.w};
  const double end = foot.x + random.uniform(2, 25) * size;
  while (foot.x < std::min<double>(end, to.shape.w)) {
    if (!random.chance(0.15)) draw_letter(to, random, foot, size, angle, radius, colour);
    const double advance = size * random.uniform(0.65, 0.85);
    foot.y += advance * std::sin(angle);
    foot.x += advance * std::cos(angle);
  }
}

void make_black(float* pixel, int channels) { std::fill_n(pixel, channels, 0.0f); }

}  // namespace

Degradation make_scratches(StepParameters& parameters) {
  const Range count = parameters.range("count", 0, 100);
  const Range spots = parameters.range("spots", 0, 1000, {0, 20});
  return [=](const Tensor& x, const DegradationContext& context) {
    RandomStream& random = context.random;
    Tensor y = x.clone();
    const View<float> to = y.view<float>();
    for (auto left = std::lround(count.draw(random)); left > 0; --left) draw_scratch(to, random);
    for (auto left = std::lround(spots.draw(random)); left > 0; --left) {
      const double row = random.uniform(0, to.shape.h), column = random.uniform(0, to.shape.w);
      const double radius = random.uniform(0.4, 2.5);
      draw_dot(to, row, column, radius, random.uniform(0.5, 1), mark_colour(random));
    }
    return y;
  };
}

Degradation make_text(StepParameters& parameters) {
  const Range lines = parameters.range("lines", 0, 1000);
  const Range size = parameters.range("size", 4, 1000);
  return [=](const Tensor& x, const DegradationContext& context) {
    Tensor y = x.clone();
    const View<float> to = y.view<float>();
    for (auto left = std::lround(lines.draw(context.random)); left > 0; --left) {
      draw_line_of_text(to, context.random, size.draw(context.random));
    }
    return y;
  };
}

Degradation make_missing_pixels(StepParameters& parameters) {
  const Range share = parameters.range("share", 0, 1);
  return [=](const Tensor& x, const DegradationContext& context) {
    const double part = share.draw(context.random);
    Tensor y = x.clone();
    float* pixel = y.view<float>().data;
    for (std::int64_t i = 0; i < y.shape().pixels(); ++i, pixel += y.shape().c) {
      if (context.random.chance(part)) make_black(pixel, y.shape().c);
    }
    return y;
  };
}

Degradation make_holes(StepParameters& parameters) {
  const Range share = parameters.range("share", 0, 0.9);
  const Range size = parameters.range("size", 1, 256);
  return [=](const Tensor& x, const DegradationContext& context) {
    RandomStream& random = context.random;
    const Shape shape = x.shape();
    Tensor y = x.clone();
    const View<float> to = y.view<float>();
    double wanted = share.draw(random) * static_cast<double>(shape.pixels());
    while (wanted > 0) {
      const int h = std::min(shape.h, static_cast<int>(std::lround(size.draw(random))));
      const int w = std::min(shape.w, static_cast<int>(std::lround(size.draw(random))));
      const int top = random.below(shape.h - h + 1), left = random.below(shape.w - w + 1);
      for (int p = top; p < top + h; ++p)
        for (int q = left; q < left + w; ++q) make_black(to.pixel(0, p, q), shape.c);
      wanted -= static_cast<double>(h) * w;
    }
    return y;
  };
}

}  // namespace mend
