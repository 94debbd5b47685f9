// "shapes": edges, corners, lines and stripes over a photograph, for targets.
//
// A picture of shapes that hide each other, of sizes with a density of 1/size³, has the statistics of natural images:
// the dead leaves model (Matheron 1968; Lee, Mumford, Huang 2001, "Occlusion models for natural images"). Networks
// that were trained on nothing else restore photographs almost as well (Achddou, Gousseau, Ladjal 2021,
// "Synthetic images as a regularity prior for image restoration neural networks"). Here they add to photographs
// what few of them have enough of.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "train/degradation_steps.h"

namespace mend {
namespace {

/// A disc or a rectangle in a frame of its own, turned and moved.
struct Outline {
  double y, x, angle;
  double half_height, half_width;
  bool round;

  Outline(RandomStream& random, const Shape& picture, double size)
      : y(random.uniform(0, picture.h)),
        x(random.uniform(0, picture.w)),
        angle(random.uniform(0, std::numbers::pi)),
        half_height(size),
        half_width(size),
        round(random.chance(0.4)) {
    // Thin rectangles are lines; half of all lie as walls and writing do.
    if (!round) half_height *= random.uniform(0.05, 1);
    if (!round && random.chance(0.5)) angle = random.chance(0.5) ? 0 : std::numbers::pi / 2;
  }
  double reach() const { return std::hypot(half_height, half_width); }
  /// Along the outline's own axes.
  std::array<double, 2> inside(double row, double column) const {
    const double dy = row - y, dx = column - x;
    return {std::cos(angle) * dy - std::sin(angle) * dx,
            std::sin(angle) * dy + std::cos(angle) * dx};
  }
  /// From the outline, in pixels; negative inside.
  double distance(const std::array<double, 2>& at) const {
    if (round) return std::hypot(at[0], at[1]) - half_width;
    return std::max(std::abs(at[0]) - half_height, std::abs(at[1]) - half_width);
  }
};

/// A colour of the picture, made lighter or darker.
struct Paint {
  std::array<float, 3> colour{};
  Paint(RandomStream& random, const View<const float>& picture) {
    const float* pixel =
        picture.pixel(0, random.below(picture.shape.h), random.below(picture.shape.w));
    const auto light = static_cast<float>(random.uniform(-0.4, 0.4));
    for (int c = 0; c < picture.shape.c; ++c) {
      colour[static_cast<std::size_t>(c)] = std::clamp(pixel[c] + light, 0.0f, 1.0f);
    }
  }
};

/// The part of a pixel at this distance from an edge, negative inside, that lies inside; the edge is so soft.
double covered(double distance, double softness) {
  return std::clamp(0.5 - distance / softness, 0.0, 1.0);
}

void mix(float* pixel, const Paint& paint, double share, int channels) {
  for (int c = 0; c < channels; ++c) {
    pixel[c] += static_cast<float>(share) * (paint.colour[static_cast<std::size_t>(c)] - pixel[c]);
  }
}

/// One shape: plain, striped, or a window onto another place of the picture.
void draw_shape(const View<float>& to, const View<const float>& picture, RandomStream& random,
                double size, double softness) {
  const Outline outline(random, to.shape, size);
  const Paint paint(random, picture), other(random, picture);
  const double kind = random.uniform();
  const bool striped = kind < 0.3;
  const bool window = kind > 0.6;
  const double period = random.uniform(2.5, 16), part = random.uniform(0.25, 0.75);
  const int down = random.below(to.shape.h), right = random.below(to.shape.w);
  const double reach = outline.reach() + softness;
  const int top = std::max(0, static_cast<int>(outline.y - reach));
  const int bottom = std::min(to.shape.h - 1, static_cast<int>(outline.y + reach + 1));
  const int left = std::max(0, static_cast<int>(outline.x - reach));
  const int last = std::min(to.shape.w - 1, static_cast<int>(outline.x + reach + 1));
  for (int p = top; p <= bottom; ++p)
    for (int q = left; q <= last; ++q) {
      const auto at = outline.inside(p, q);
      const double share = covered(outline.distance(at), softness);
      if (share == 0) continue;
      float* pixel = to.pixel(0, p, q);
      if (window) {
        const float* from = picture.pixel(0, (p + down) % to.shape.h, (q + right) % to.shape.w);
        for (int c = 0; c < to.shape.c; ++c) {
          pixel[c] += static_cast<float>(share) * (from[c] - pixel[c]);
        }
        continue;
      }
      const double before =
          striped ? covered(std::abs(std::remainder(at[0], period)) - part * period / 2, softness)
                  : 0;
      mix(pixel, paint, share * (1 - before), to.shape.c);
      if (before > 0) mix(pixel, other, share * before, to.shape.c);
    }
}

}  // namespace

Degradation make_shapes(StepParameters& parameters) {
  const Range count = parameters.range("count", 0, 1000);
  const Range size = parameters.range("size", 1, 1000);
  const Range softness = parameters.range("softness", 0.5, 10, {0.7, 2});
  return [=](const Tensor& x, const DegradationContext& context) {
    RandomStream& random = context.random;
    Tensor y = x.clone();
    for (auto left = std::lround(count.draw(random)); left > 0; --left) {
      // Of a density of 1/size³ between the smallest and the largest.
      const double ratio = size.low / size.high;
      const double half = size.low / std::sqrt(1 - random.uniform() * (1 - ratio * ratio));
      draw_shape(y.view<float>(), x.view<const float>(), random, half, softness.draw(random));
    }
    return y;
  };
}

}  // namespace mend
