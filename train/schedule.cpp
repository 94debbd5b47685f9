#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mend {

double Schedule::rate(std::int64_t step) const {
  double shape = 1;
  if (kind == Kind::kCosine) {
    const double span = static_cast<double>(std::max<std::int64_t>(1, steps - warm_up));
    const double u = std::clamp(static_cast<double>(step - warm_up) / span, 0.0, 1.0);
    const double low = final / peak;
    shape = low + (1 - low) * 0.5 * (1 + std::cos(std::numbers::pi * u));
  } else if (kind == Kind::kMultiStep) {
    const auto passed = std::count_if(milestones.begin(), milestones.end(),
                                      [&](std::int64_t milestone) { return milestone <= step; });
    shape = std::pow(factor, static_cast<double>(passed));
  }
  const double rise =
      warm_up > 0 ? std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(warm_up))
                  : 1.0;
  return peak * rise * shape;
}

}  // namespace mend
