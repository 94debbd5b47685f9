// Forward, loss and backward of one batch as one plan: it allocates its arena once, at the first step.
#pragma once

#include <functional>
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
               const Objective& objective, LateReads late_reads = LateReads::kKept);

  /// Is told between the plan's steps how many of final_order() are final by now.
  using Progress = std::function<void(std::size_t final)>;

  /// The loss of this batch, with the parameters as they are given; then gradients() are its own.
  double run(const Tensors& parameters, const Tensor& input, const Tensor& target,
             const Progress& progress = {});
  /// The gradients that there are, by their indices, in the order in which a run makes them.
  const std::vector<std::size_t>& final_order() const { return final_order_; }
  /// dL/d(parameter), in the order of the model's parameters; undefined where the loss does not depend on
  /// one. Valid until the next run.
  const Tensors& gradients() const { return gradients_; }

  /// Bytes of activations, gradients and scratch.
  std::int64_t arena_bytes() const { return plan_.arena_bytes(); }
  Cost cost() const { return plan_.cost(); }

 private:
  void find_final_steps();

  std::vector<JudgedOutput> judged_;
  std::vector<bool> has_gradient_;  // written while plan_ is traced
  Plan plan_;
  Tensors gradients_;
  std::vector<std::size_t> final_order_;
  std::vector<int> final_steps_;  // of the plan, by place in final_order_
};

/// √Σ g² over all gradients, in double and in their order; undefined ones count nothing.
double norm_of(const Tensors& gradients);
/// Multiplies all of them, in place.
void scale_by(const Tensors& gradients, double factor);

}  // namespace mend
