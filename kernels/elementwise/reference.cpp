// The truth: the formulas, element by element, in double.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/elementwise/variants.h"

namespace mend {
namespace {

double combine(BinaryKind kind, double x, double z) {
  switch (kind) {
    case BinaryKind::kAdd:
      return x + z;
    case BinaryKind::kSubtract:
      return x - z;
    case BinaryKind::kMultiply:
      return x * z;
    case BinaryKind::kDivide:
      return x / z;
    case BinaryKind::kMinimum:
      return std::isnan(x) || x < z ? x : z;
    case BinaryKind::kMaximum:
      return std::isnan(x) || x > z ? x : z;
    case BinaryKind::kPower:
      return x < 0 ? std::numeric_limits<double>::quiet_NaN() : std::pow(x, z);
  }
  return 0;
}

/// Element (n,h,w,c) of x, where an extent of 1 stands for all.
double broadcast_at(View<const float> x, int n, int h, int w, int c) {
  const Shape& s = x.shape;
  return x(s.n == 1 ? 0 : n, s.h == 1 ? 0 : h, s.w == 1 ? 0 : w, s.c == 1 ? 0 : c);
}

}  // namespace

void affine_reference(const op::Affine& affine, View<const float> x, View<float> y) {
  for (int n = 0; n < y.shape.n; ++n)
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w)
        for (int c = 0; c < y.shape.c; ++c) {
          const double value = double{affine.scale} * x(n, h, w, c) + affine.offset;
          // In this order a NaN fails both comparisons and stays.
          const double bounded = value < affine.low    ? affine.low
                                 : value > affine.high ? affine.high
                                                       : value;
          y(n, h, w, c) = static_cast<float>(bounded);
        }
}

void binary_reference(const op::Binary& binary, View<const float> x, View<const float> z,
                      View<float> y) {
  for (int n = 0; n < y.shape.n; ++n)
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w)
        for (int c = 0; c < y.shape.c; ++c) {
          y(n, h, w, c) = static_cast<float>(
              combine(binary.kind, broadcast_at(x, n, h, w, c), broadcast_at(z, n, h, w, c)));
        }
}

}  // namespace mend
