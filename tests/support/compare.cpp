#include "tests/support/compare.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <ostream>

namespace mend::test {
namespace {

/// Sums over all elements, and the worst of them.
struct Comparison {
  double worst_error = 0;
  double squared_error = 0, squared_expected = 0;
  std::string worst;
};

Comparison compare(const Tensor& actual, const Tensor& expected) {
  Comparison result;
  const Shape& shape = expected.shape();
  if (actual.shape() != shape) {
    result.worst_error = result.squared_error = std::numeric_limits<double>::infinity();
    result.worst =
        fmt::format("shape {} instead of {}", to_string(actual.shape()), to_string(shape));
    return result;
  }
  const View<const float> got = actual.view<const float>(), want = expected.view<const float>();
  for (int n = 0; n < shape.n; ++n)
    for (int h = 0; h < shape.h; ++h)
      for (int w = 0; w < shape.w; ++w)
        for (int c = 0; c < shape.c; ++c) {
          const double a = got(n, h, w, c), b = want(n, h, w, c);
          const double error = std::abs(a - b);
          result.squared_error += error * error;
          result.squared_expected += b * b;
          if (error <= result.worst_error || std::isnan(result.worst_error)) continue;
          result.worst_error = error;  // NaN sticks
          result.worst = fmt::format("at [{},{},{},{}]: {} instead of {}", n, h, w, c, a, b);
        }
  return result;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Deviation& deviation) {
  return out << deviation.value << ' ' << deviation.worst;
}

Deviation max_error(const Tensor& actual, const Tensor& expected) {
  const Comparison result = compare(actual, expected);
  return {result.worst_error, result.worst};
}

Deviation relative_error(const Tensor& actual, const Tensor& expected) {
  const Comparison result = compare(actual, expected);
  const double norm = std::sqrt(result.squared_expected);
  return {std::sqrt(result.squared_error) / (norm > 0 ? norm : 1), result.worst};
}

}  // namespace mend::test
