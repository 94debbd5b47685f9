// How losses sum: row by row in double, the rows in order, so that the bits do not depend on threads.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "engine/tensor.h"

namespace mend {

/// Throws ShapeError, with what the loss and the second tensor are called, unless both are there and
/// of one shape.
inline void check_shapes(std::string_view loss, const Tensor& x, const Tensor& other,
                         std::string_view what = "target") {
  if (x.shape() == other.shape() && x.defined()) return;
  throw ShapeError(fmt::format("{}: the prediction is {}, but the {} {}", loss,
                               to_string(x.shape()), what, to_string(other.shape())));
}

/// −1, 0 or 1; a NaN stays one.
inline double sign(double d) { return d > 0 ? 1 : d < 0 ? -1 : d; }

/// body(n, h), a number, of each row of `shape`, on all threads.
template <class Body>
std::vector<double> each_row(const Shape& shape, const Body& body) {
  std::vector<double> rows(static_cast<std::size_t>(shape.n) * shape.h);
  parallel_for(std::int64_t{shape.n} * shape.h, [&](std::int64_t row, int) {
    rows[static_cast<std::size_t>(row)] =
        body(static_cast<int>(row / shape.h), static_cast<int>(row % shape.h));
  });
  return rows;
}

inline double sum(const std::vector<double>& numbers) {
  double total = 0;
  for (const double number : numbers) total += number;
  return total;
}

/// What one number adds to a sum, and its derivative.
struct Term {
  double value, slope;
};

}  // namespace mend
