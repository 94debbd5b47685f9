// Forward, loss and backward of one batch as one plan: it allocates its arena once, at the first step.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/plan.h"
#include "kernels/parameter_update/pieces.h"
#include "models/trainable.h"
#include "train/objective.h"

namespace mend {

/// A network that looks at the picture, the first output, and whose features are what a loss is of.
struct Critic {
  using Features = std::function<Tensors(const Tensors& parameters, const Tensor& picture)>;

  /// Made of `apply`. `parameters` are those that change between steps; others are constants in it.
  Features features;
  Shapes parameters;
  /// Term i looks at feature i, or compares it with the same feature of the target.
  Objective terms;
};

class TrainingStep {
 public:
  /// For batches of these shapes, in the host's memory. All else lies on `device`, where the step is computed.
  /// `critics` add their terms to the objective. Throws ShapeError if the
  /// network or a critic cannot take its input, or a term cannot compare what it is given, UsageError if
  /// the network has no output that the objective looks at, or an operation has no gradient or no kernel on
  /// the device. `records`, `narrow`: those of PlanOptions; losses are f32 whatever the images between layers are.
  TrainingStep(const TrainableModel& model, const Shape& input, const Shape& target,
               const Objective& objective, const std::vector<Critic>& critics = {},
               LateReads late_reads = LateReads::kKept, Device& device = cpu(), bool records = true,
               const std::optional<NarrowImages>& narrow = {});

  /// Is told between the plan's steps how many of final_order() are final by now; where a GPU replays them, at the
  /// end alone.
  using Progress = std::function<void(std::size_t final)>;

  /// Computes this batch, with the parameters as they are given, those of the critics one critic after
  /// the other; then gradients() and picture() are its own. Parameters are read where they lie: dense, on the
  /// device, and best always the same tensors. A GPU may still be busy with it.
  void start(const Tensors& parameters, const Tensor& input, const Tensor& target,
             const Tensors& critic_parameters = {}, const Progress& progress = {});
  /// The loss of the batch that was started last. Waits for a GPU.
  double loss();
  /// Both.
  double run(const Tensors& parameters, const Tensor& input, const Tensor& target,
             const Tensors& critic_parameters = {}) {
    start(parameters, input, target, critic_parameters);
    return loss();
  }
  /// The gradients that there are, by their indices, in the order in which a run makes them.
  const std::vector<std::size_t>& final_order() const { return final_order_; }
  /// dL/d(parameter), in the order of the model's parameters; undefined where the loss does not depend on
  /// one. Valid until the next run.
  const Tensors& gradients() const { return gradients_; }
  /// What the network made of the input, not clipped. Valid until the next run.
  Tensor picture() { return plan_.output(0); }

  /// Bytes of activations, gradients and scratch.
  std::int64_t arena_bytes() const { return plan_.arena_bytes(); }
  Cost cost() const { return plan_.cost(); }

 private:
  void find_final_steps();
  void take_gradients();

  std::size_t values_ = 0;  // of the plan's outputs, how many are values of losses; this and
  std::vector<bool> has_gradient_;  // this are written while plan_ is traced
  Plan plan_;
  Tensors losses_;  // values, where the plan's device brings them
  Tensors gradients_;
  std::vector<std::size_t> final_order_;
  std::vector<int> final_steps_;  // of the plan, by place in final_order_
};

/// The mean of several batches' gradients, on their device, for steps that a single batch of that size would be
/// too large for.
class AccumulatedGradient {
 public:
  /// Of so many.
  explicit AccumulatedGradient(int count) : count_(count) {}

  /// One batch more. Of a single one the handles are kept, of several their sums.
  void add(const Tensors& gradients);
  /// Valid until the next add; the one after the last begins anew.
  const Tensors& mean();
  /// Forgets what was added.
  void clear() { added_ = 0; }

 private:
  int count_, added_ = 0;
  Tensors sums_;
  TensorPieces pieces_;  // rows of a sum and a gradient
  // Of a call, kept for their room.
  std::vector<PieceRow> rows_;
  Tensors dense_;
};

}  // namespace mend
