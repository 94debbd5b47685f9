// How far a result is from what was expected, with the worst element for the failure message:
//
//   CHECK(max_error(y, golden.at("output")) <= 2e-5);
//   // CHECK( 0.013 at [0,3,4,1]: 0.52 instead of 0.533 <= 2e-05 )
#pragma once

#include <iosfwd>
#include <string>

#include "engine/tensor.h"

namespace mend::test {

/// An error measure; NaN anywhere makes `value` NaN, which no bound admits.
struct Deviation {
  double value = 0;
  std::string worst;  ///< the element with the largest absolute error: index and both values

  friend bool operator<=(const Deviation& deviation, double bound) {
    return deviation.value <= bound;
  }
  friend bool operator<(const Deviation& deviation, double bound) {
    return deviation.value < bound;
  }
};

std::ostream& operator<<(std::ostream& out, const Deviation& deviation);

/// The largest |actual - expected|. Other shapes: infinity, and `worst` names both.
Deviation max_error(const Tensor& actual, const Tensor& expected);

/// ‖actual - expected‖₂ / ‖expected‖₂ (just the numerator if expected is 0).
Deviation relative_error(const Tensor& actual, const Tensor& expected);

}  // namespace mend::test
