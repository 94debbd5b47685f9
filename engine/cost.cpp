#include "engine/cost.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mend {

Footprint Footprint::then(const Footprint& next) const {
  // A grid of g pixels behind a scale of 1/s is one of g·s input pixels; behind an upsampling it
  // is at least one input pixel.
  const int next_grid = std::max(1, static_cast<int>(std::lround(next.grid / scale)));
  return {radius + next.radius / scale, scale * next.scale, std::lcm(grid, next_grid),
          global || next.global};
}

Footprint Footprint::beside(const Footprint& other) const {
  return {std::max(radius, other.radius), scale, std::lcm(grid, other.grid),
          global || other.global};
}

}  // namespace mend
