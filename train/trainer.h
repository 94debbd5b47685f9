// The training loop: recipe in, weights out.
//
//   for each step:  pairs ─ forward, loss, backward ─ guard ─ clip ─ optimizer ─ average
//   now and then:   validation, log, sheet and curve, state
//
// Everything that a step does follows from the recipe and from the state before it, so a training that
// was killed at any moment and resumed ends with the same bits as one that was not.
//
// The folder of a training:
//   state.safetensors   all to go on from            model.safetensors  the averaged weights, as now
//   best.safetensors    those of the best validation log.csv, log.jsonl a row a hundred steps
//   validation.csv      a row a validation           curve.png, sheet.png
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "train/recipe.h"
#include "train/training_log.h"
#include "train/training_state.h"
#include "train/training_step.h"
#include "train/validation.h"

namespace mend {

struct StepReport {
  std::int64_t step, steps;  ///< done, of all
  double loss;
};

class Trainer {
 public:
  using Tell = std::function<void(const std::string& line)>;
  /// The checkpoint that a recipe's `start` names.
  using Open = std::function<Checkpoint(const std::string& name)>;

  /// Reads the state in `folder` if there is one, else starts. `tell` gets a line for what a user should
  /// know: pictures left out, validations, rollbacks. Throws UsageError if the folder holds a training by
  /// another recipe.
  Trainer(
      Recipe recipe, std::string folder, Tell tell,
      const Open& open = [](const std::string& path) { return read_checkpoint(path); });

  std::int64_t steps_done() const { return state_.step; }
  std::int64_t parameters() const;
  std::int64_t arena_bytes() const { return step_->arena_bytes(); }

  /// Trains to the end, or for at most `seconds` (0: no limit). Writes the state before it returns, also
  /// when cancel_requested(), which ends in Interrupted. Throws NumericError if losses stay NaN after
  /// several rollbacks.
  void run(const std::function<void(const StepReport&)>& report, double seconds = 0);

  /// The averaged weights under official keys, with hyper-parameters, recipe and step as metadata.
  void write_model(const std::string& path) const;

 private:
  void start();
  void resume();
  /// One step; false if loss or gradient was not finite and nothing has changed.
  bool train_on(const Pairs& pairs, double& loss, double& norm);
  void update_averages();
  void roll_back();
  void validate();
  void save();
  std::string file(const char* name) const { return folder_ + "/" + name; }

  Recipe recipe_;
  std::string folder_;
  Tell tell_;
  std::unique_ptr<TrainableModel> model_;
  std::unique_ptr<PairSource> pairs_;
  std::unique_ptr<Validation> validation_;
  std::unique_ptr<TrainingStep> step_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<TrainingLog> log_;
  TrainingState state_;
};

/// The optimizer that a recipe's "optimizer" describes, on these parameters. Throws UsageError.
std::unique_ptr<Optimizer> make_optimizer(const Json& options, std::vector<Tensor> parameters);

}  // namespace mend
