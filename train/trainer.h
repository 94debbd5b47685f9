// The training loop: recipe in, weights out.
//
//   for each step:  pairs ─ forward, loss, backward ─ guard ─ clip ─ optimizer ─ average
//                   with a discriminator its loss and backward before the guard, its optimizer behind
//   now and then:   validation, log, sheet and curve, state
//
// Everything that a step does follows from the recipe and from the state before it, so a training that
// was killed at any moment and resumed ends with the same bits as one that was not.
//
// Several processes (train/replicas.h) split each batch: sample k is the same for any number of them, and
// the gradients are averaged before anything is decided by them. So they end with the same weights as
// one process, but for rounding. Rank 0 alone reads and writes the folder, validates, and speaks.
//
// On a GPU all of a step but its samples runs there, and so do validations; parameters, gradients, averages and
// what the optimizer remembers never leave it but for the files. The CPU makes the next batch meanwhile; of a
// step it sees the loss and the gradient's norm, by which it decides.
//
// The folder of a training:
//   state.safetensors   all to go on from            model.safetensors  the averaged weights, as now
//   best.safetensors    those of the best validation log.csv, log.jsonl a row a hundred steps
//   validation.csv      a row a validation           curve.png, sheet.png
//   discriminator.safetensors  of an adversarial training
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/gpu_mean.h"
#include "train/adversary.h"
#include "train/batch_ahead.h"
#include "train/gradient_mean.h"
#include "train/ingredients.h"
#include "train/recipe.h"
#include "train/replicas.h"
#include "train/training_log.h"
#include "train/training_state.h"
#include "train/training_step.h"
#include "train/validation.h"

namespace mend {

struct StepReport {
  std::int64_t step, steps;  ///< done, of all
  double loss;
};

/// What a step has found.
struct StepLosses {
  double loss = 0, gradient_norm = 0;
  double discriminator_loss = 0;  ///< of an adversarial training
};

class Trainer {
 public:
  using Tell = std::function<void(const std::string& line)>;

  /// Reads the state in `folder` if there is one, else starts. `tell` gets a line for what a user should
  /// know: pictures left out, validations, rollbacks. Throws UsageError if the folder holds a training by
  /// another recipe, the batch does not split into equal shares, or something in it does not run on `device`.
  /// `records`: PlanOptions::records. `gpus`: join_gpus().mean; without it gradients are summed by `replicas`.
  Trainer(
      Recipe recipe, std::string folder, Tell tell, std::shared_ptr<Replicas> replicas = alone(),
      const OpenCheckpoint& open = [](const std::string& path) { return read_checkpoint(path); },
      Device& device = cpu(), bool records = true, std::unique_ptr<GpuMean> gpus = nullptr);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  std::int64_t steps_done() const { return state_.step; }
  std::int64_t parameters() const;
  std::int64_t arena_bytes() const {
    return step_->arena_bytes() + (adversary_ ? adversary_->arena_bytes() : 0);
  }

  /// Trains to the end, or for at most `seconds` (0: no limit). Writes the state before it returns, also
  /// when cancel_requested(), which ends in Interrupted. Throws NumericError if losses stay NaN after
  /// several rollbacks.
  void run(const std::function<void(const StepReport&)>& report, double seconds = 0);

  /// The averaged weights under official keys, with hyper-parameters, recipe and step as metadata.
  void write_model(const std::string& path) const;

 private:
  void set_up(const OpenCheckpoint& open);
  void start();
  void resume();
  /// The state in the folder if there is one, else the first, on all ranks.
  void read_state();
  /// One step; false if a loss or gradient was not finite and nothing has changed.
  bool train(StepLosses& losses);
  /// This rank's share of a batch.
  Pairs pairs_of_batch(std::int64_t batch);
  /// Starts this rank's share of one batch; then the step's gradients are those of the whole batch. Returns the
  /// discriminator's loss.
  double start_batch(std::int64_t batch);
  void update_averages();
  /// The discriminator's tensors, if there is one.
  std::vector<Parameter> adversaries() const;
  void roll_back();
  void validate();
  void gather_state();
  void save();
  /// Tells what all ranks know.
  void say(const std::string& line) const;
  std::string file(const char* name) const { return folder_ + "/" + name; }

  Recipe recipe_;
  std::string folder_;
  Tell tell_;
  std::shared_ptr<Replicas> replicas_;
  Device& device_;
  bool records_;
  int share_;  ///< of a batch, that one rank takes
  bool running_ = false;
  std::unique_ptr<TrainableModel> model_;
  std::unique_ptr<PairSource> pairs_;
  std::unique_ptr<BatchAhead> ahead_;  ///< with a GPU
  std::unique_ptr<Validation> validation_;
  std::unique_ptr<TrainingStep> step_;
  std::unique_ptr<GpuMean> gpus_;       ///< of several ranks, or none
  std::unique_ptr<GradientMean> mean_;  ///< if there are several ranks without it
  AccumulatedGradient gradient_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Adversary> adversary_;  ///< or none
  std::unique_ptr<TrainingLog> log_;
  TrainingState state_;
  TensorPieces averaged_;
};

/// The optimizer that a recipe's "optimizer" describes, on these parameters. Throws UsageError.
std::unique_ptr<Optimizer> make_optimizer(const Json& options, std::vector<Tensor> parameters);

}  // namespace mend
