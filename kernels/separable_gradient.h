// The gradient of operations whose output pixels are weighted sums over a few input rows times a few
// input columns: resampling, and the means of poolings.
//
//   y[p,q] = Σ_{h,w} rows(p,h) · columns(q,w) · x[h,w]
//   dx[h,w] = Σ_{p,q} rows(p,h) · columns(q,w) · dy[p,q]
//
// Rows are summed first, into a line as wide as dy, then that line's pixels: a + b products an element
// in place of a·b.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/op.h"

namespace mend {

/// Which outputs an input row (or column) is part of, and with which weights: for input i those in
/// [start[i], start[i + 1]).
class TransposedTaps {
 public:
  TransposedTaps(int inputs, int outputs)
      : start_(static_cast<std::size_t>(inputs) + 1), outputs_(outputs) {}

  struct Tap {
    int output;
    double weight;
  };
  /// The next tap of output `output`; outputs in ascending order.
  void add(int input, int output, double weight) {
    unsorted_.push_back({input, {output, weight}});
    ++start_[static_cast<std::size_t>(input) + 1];
  }
  /// After the last add().
  void finish();

  int inputs() const { return static_cast<int>(start_.size()) - 1; }
  int outputs() const { return outputs_; }
  const Tap* begin(int input) const { return taps_.data() + start_[input]; }
  const Tap* end(int input) const { return taps_.data() + start_[input + 1]; }

 private:
  struct Unsorted {
    int input;
    Tap tap;
  };
  std::vector<std::int64_t> start_;
  std::vector<Unsorted> unsorted_;
  std::vector<Tap> taps_;
  int outputs_;
};

/// dx from dy in double, tap by tap: the truth.
void separable_gradient_reference(const TransposedTaps& rows, const TransposedTaps& columns,
                                  View<const float> dy, View<float> dx);
/// The same in two passes, in f32.
void separable_gradient_lines(const TransposedTaps& rows, const TransposedTaps& columns,
                              View<const float> dy, View<float> dx, Scratch scratch);
/// Working memory of separable_gradient_lines: a line a thread.
std::int64_t separable_gradient_scratch(const Shape& dy);

}  // namespace mend
