// Forward, loss and backward of one batch as one plan: it allocates its arena once, at the first step.
#pragma once

#include <vector>

#include "engine/plan.h"
#include "models/trainable.h"
#include "train/objective.h"

namespace mend {

/// One of the network's outputs, and the terms that look at it.
struct JudgedOutput {
  std::size_t index;  ///< in traits.outputs
  Objective terms;
};

class TrainingStep {
 public:
  /// For batches of these shapes. Throws ShapeError if the network cannot take `input` or gives something
  /// that the objective cannot compare with `target` or `input`, UsageError if it has no output that the
  /// objective looks at, or one of its operations has no gradient.
  TrainingStep(const TrainableModel& model, const Shape& input, const Shape& target,
               const Objective& objective);

  /// The loss of this batch, with the parameters as they are given; then gradients() are its own.
  double run(const Tensors& parameters, const Tensor& input, const Tensor& target);
  /// dL/d(parameter), in the order of the model's parameters; undefined where the loss does not depend on
  /// one. Valid until the next run.
  const Tensors& gradients() const { return gradients_; }

  /// Bytes of activations, gradients and scratch.
  std::int64_t arena_bytes() const { return plan_.arena_bytes(); }
  Cost cost() const { return plan_.cost(); }

 private:
  std::vector<JudgedOutput> judged_;
  std::vector<bool> has_gradient_;  // written while plan_ is traced
  Plan plan_;
  Tensors gradients_;
};

/// √Σ g² over all gradients, in double and in their order; undefined ones count nothing.
double norm_of(const Tensors& gradients);
/// Multiplies all of them, in place.
void scale_by(const Tensors& gradients, double factor);

}  // namespace mend
