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

/// Throws ShapeError if no square of `side` pixels fits, UsageError for a side below 1.
inline void check_regions(std::string_view loss, const Shape& x, int side) {
  if (side < 1) {
    throw UsageError(fmt::format("{}: region is {}; it must be 1 or more", loss, side));
  }
  if (x.h / side < 1 || x.w / side < 1) {
    throw ShapeError(
        fmt::format("{0}: no region of {1}x{1} fits into {2}", loss, side, to_string(x)));
  }
}

/// Throws ShapeError unless there is a picture of three channels.
inline void check_rgb(std::string_view loss, const Shape& x) {
  if (!x.empty() && x.c == 3) return;
  throw ShapeError(fmt::format("{}: the prediction is {}, which is not RGB", loss, to_string(x)));
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
