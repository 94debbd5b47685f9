#include "engine/cost.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mend {
namespace {

/// A grid wider than any image: only the whole image will do.
constexpr std::int64_t kWidestGrid = 1 << 24;

int multiple_of_both(std::int64_t a, std::int64_t b) {
  return static_cast<int>(std::min(std::lcm(a, b), kWidestGrid));
}

/// The smallest multiple of `grid` input pixels that is a multiple of `next_grid` pixels behind
/// `scale`: where a tile may start so that both operations see their own pattern.
int common_grid(int grid, double scale, int next_grid) {
  if (next_grid == 1) return grid;
  for (int steps = 1; steps <= next_grid; ++steps) {
    const double patterns = steps * grid * scale / next_grid;
    if (patterns > 0.5 && std::abs(patterns - std::round(patterns)) < 1e-6) return steps * grid;
  }
  // The scale is coarser than the grid says, or not of whole numbers: no start surely fits both.
  return multiple_of_both(grid, std::max(1L, std::lround(next_grid / scale)));
}

}  // namespace

Footprint Footprint::then(const Footprint& next) const {
  return {radius + next.radius / scale, scale * next.scale, common_grid(grid, scale, next.grid),
          global || next.global};
}

Footprint Footprint::beside(const Footprint& other) const {
  // Only a broadcast (a gate, one number for the whole image) has a scale of its own: the image's
  // is the larger one.
  return {std::max(radius, other.radius), std::max(scale, other.scale),
          multiple_of_both(grid, other.grid), global || other.global};
}

}  // namespace mend
