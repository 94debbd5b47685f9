// A line through numbers, as a picture: how a training goes, at a glance.
#pragma once

#include <string>
#include <vector>

#include "restore/image.h"

namespace mend {

struct CurvePoint {
  double x = 0, y = 0;
};

/// Both axes linear, from the least to the largest number; light lines at round values of y. Numbers that
/// are not finite are left out. At most `width` x `height` pixels, gray on white.
Image draw_curve(const std::vector<CurvePoint>& points, int width = 640, int height = 320);

}  // namespace mend
