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
#include <memory_resource>
#include <numeric>
#include <vector>

#include "engine/op.h"

namespace mend {

/// Which outputs an input row (or column) is part of, and with which weights: for input i those in
/// [start[i], start[i + 1]).
class TransposedTaps {
 public:
  struct Tap {
    int output;
    double weight;
  };

  /// `visit(add)` calls add(input, output, weight) for every tap, outputs in ascending order. It is run twice.
  template <class Visit>
  TransposedTaps(int inputs, int outputs, const Visit& visit,
                 std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : start_(static_cast<std::size_t>(inputs) + 2, memory), taps_(memory), outputs_(outputs) {
    visit([&](int input, int, double) { ++start_[static_cast<std::size_t>(input) + 2]; });
    std::partial_sum(start_.begin(), start_.end(), start_.begin());
    taps_.resize(static_cast<std::size_t>(start_.back()));
    // Until an input has all of its taps, start[input + 1] is where the next one goes.
    visit([&](int input, int output, double weight) {
      taps_[static_cast<std::size_t>(start_[static_cast<std::size_t>(input) + 1]++)] = {output,
                                                                                        weight};
    });
  }
  /// What that takes of `memory`, for `taps` taps or fewer.
  static std::int64_t bytes(int inputs, std::int64_t taps) {
    return (std::int64_t{inputs} + 2) * static_cast<std::int64_t>(sizeof(std::int64_t)) +
           taps * static_cast<std::int64_t>(sizeof(Tap));
  }

  int inputs() const { return static_cast<int>(start_.size()) - 2; }
  int outputs() const { return outputs_; }
  const Tap* begin(int input) const { return taps_.data() + start_[input]; }
  const Tap* end(int input) const { return taps_.data() + start_[input + 1]; }

 private:
  std::pmr::vector<std::int64_t> start_;
  std::pmr::vector<Tap> taps_;
  int outputs_;
};

/// dx from dy in double, tap by tap: the truth.
void separable_gradient_reference(const TransposedTaps& rows, const TransposedTaps& columns,
                                  View<const float> dy, View<float> dx);
/// The same in two passes, in f32.
void separable_gradient_lines(const TransposedTaps& rows, const TransposedTaps& columns,
                              View<const float> dy, View<float> dx, Scratch scratch);
/// Working memory of separable_gradient_lines: a line a thread. A multiple of 8 bytes: taps may lie behind it.
std::int64_t separable_gradient_scratch(const Shape& dy);

}  // namespace mend
