// A tape: what was computed from watched tensors, to be walked backwards for the gradient
// (reverse mode of automatic differentiation; Griewank & Walther 2008, chapter 3).
//
//   tape->watch(x) ── op ── op ── y          forward: every step is noted
//   dL/dx ─────────── ◂── ◂── dL/dy          gradients(): every step's `backward`, in reverse
//
// The gradients are made with `apply`: of plain tensors at once, of placeholders as further steps of
// the trace, so that a whole training step becomes one plan that allocates nothing when it runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/op.h"

namespace mend {

/// Lives in a shared_ptr, which the tensors on it share. One tape serves one call of gradients().
class GradientTape final : public Tape, public std::enable_shared_from_this<GradientTape> {
 public:
  /// `sum` adds two tensors of one shape: the gradients of a tensor that is read several times.
  explicit GradientTape(AnyOp sum) : sum_(std::move(sum)) {}

  /// `x` on this tape: a parameter or an input whose gradient will be asked for. What is computed from
  /// it is on the tape too.
  Tensor watch(const Tensor& x);

  Tensor record(const AnyOp& op, Inputs inputs, const Tensor& y) override;

  /// dL/d(x) for every x in `watched`, shaped like it; undefined where no output depends on x.
  ///   dL/d(outputs[i]) = cotangents[i], shaped like it; an output that is not on the tape has no part
  /// Gradients are summed in an order that depends on the steps alone. What a step has saved is let
  /// go once its turn is over, so the tape is empty then.
  /// Throws UsageError that names an operation and its layer if a step on the way has no gradient,
  /// ShapeError if a cotangent does not fit, or there are more or fewer of them than outputs.
  Tensors gradients(const Tensors& outputs, const Tensors& cotangents, const Tensors& watched);

  /// How many steps are noted.
  std::size_t steps() const { return steps_.size(); }

 private:
  struct Step {
    AnyOp op;
    Tensors inputs;           // off the tape, without pixels where the gradient reads none
    std::vector<int> values;  // of the inputs; kUntaped for those that were not on the tape
    Tensor y;
    int value;          // of y
    std::string label;  // the path of the first input with a name
  };
  static constexpr int kUntaped = -1;

  int value_of(const Tensor& tensor) const;
  /// By value: whether it is one of `watched` or depends on one.
  std::vector<bool> dependent_on(const Tensors& watched) const;
  void add_to(Tensor& sum, const Tensor& gradient) const;

  AnyOp sum_;
  std::vector<Step> steps_;
  int values_ = 0;
};

}  // namespace mend
