#include "train/trainer.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>

#include "engine/cancel.h"
#include "engine/error.h"
#include "engine/parallel.h"
#include "train/initialize.h"
#include "weights/safetensors.h"

namespace mend {
namespace {

namespace fs = std::filesystem;

/// Steps in a row without a finite loss, after which the last state is tried again with half the rate.
constexpr int kMostBadSteps = 3;
constexpr int kMostRollbacks = 8;
constexpr std::int64_t kLogEvery = 100;
/// Of the pictures that validation sees; never those of a training sample.
constexpr std::uint64_t kValidationSeed = 0x76616C6964;

/// Puts the tensors of `other` with the same key and shape into `checkpoint`; how many there are.
/// Throws UsageError if there are none.
int take_matching(Checkpoint& checkpoint, const Checkpoint& other) {
  int taken = 0;
  for (auto& [key, tensor] : checkpoint.tensors) {
    const auto found = other.tensors.find(key);
    if (found == other.tensors.end() || found->second.shape != tensor.shape) continue;
    tensor = found->second;
    ++taken;
  }
  if (taken == 0) {
    throw UsageError(fmt::format("{}: none of its tensors fits the recipe's network", other.path));
  }
  return taken;
}

Checkpoint first_checkpoint(const Recipe& recipe, const Trainer::Tell& tell,
                            const Trainer::Open& open) {
  if (recipe.architecture.empty()) {
    Checkpoint first = open(recipe.start);
    if (!recipe.task.empty()) first.metadata["task"] = recipe.task;
    return first;
  }
  const Architecture& architecture = architecture_named(recipe.architecture);
  Checkpoint first = initial_checkpoint(architecture, recipe.hyperparameters, recipe.seed);
  first.metadata["task"] = recipe.task;
  if (!recipe.start.empty()) {
    const int taken = take_matching(first, open(recipe.start));
    tell(fmt::format("{}: {} of {} tensors are taken from there", recipe.start, taken,
                     first.tensors.size()));
  }
  return first;
}

PairOptions pair_options(const Recipe& recipe, std::uint64_t seed, int patch) {
  PairOptions options;
  options.seed = seed;
  options.patch = patch;
  options.scale = recipe.scale;
  options.margin = recipe.margin;
  options.looks = recipe.looks;
  options.gray = recipe.gray;
  return options;
}

std::unique_ptr<PairSource> pairs_of(const Recipe& recipe, const std::vector<std::string>& places,
                                     const PairOptions& options, const Trainer::Tell& tell) {
  PictureSetOptions set;
  set.largest_sides = recipe.largest_sides;
  set.smallest_side = PairSource::smallest_side(options);
  set.cache_bytes = recipe.cache_bytes;
  set.note = tell;
  const Degradation holes =
      recipe.mask.empty() ? Degradation() : make_degradation(recipe.mask, "mask");
  return std::make_unique<PairSource>(std::make_shared<PictureSet>(places, set),
                                      make_degradation(recipe.degrade), options, holes);
}

/// Throws UsageError unless recipe and network agree on whether there are holes.
void check_mask(const Recipe& recipe, const TrainableModel& model) {
  const Condition condition = model.traits().condition;
  const bool takes_one = condition == Condition::kMaskMap || condition == Condition::kMask;
  if (takes_one != recipe.mask.empty()) return;
  throw UsageError(
      takes_one
          ? fmt::format("training: {} fills holes; the recipe needs 'mask', steps to draw them",
                        model.description())
          : fmt::format("training: the recipe has a 'mask', but {} does not take one for {}; it "
                        "needs a channel beside the picture's and the task inpaint",
                        model.description(), recipe.task));
}

}  // namespace

Trainer::Trainer(Recipe recipe, std::string folder, Tell tell, const Open& open)
    : recipe_(std::move(recipe)), folder_(std::move(folder)), tell_(std::move(tell)) {
  model_ = std::make_unique<TrainableModel>(first_checkpoint(recipe_, tell_, open));
  check_mask(recipe_, *model_);
  const PairOptions options = pair_options(recipe_, recipe_.seed, recipe_.patch);
  pairs_ = pairs_of(recipe_, recipe_.pictures, options, tell_);
  if (!recipe_.held_out.empty()) {
    const PairOptions held_out =
        pair_options(recipe_, kValidationSeed, recipe_.validate_side / recipe_.scale);
    validation_ =
        std::make_unique<Validation>(*pairs_of(recipe_, recipe_.held_out, held_out, tell_),
                                     recipe_.validate_count, recipe_.scale);
  }
  const int channels = recipe_.gray ? 1 : 3, side = recipe_.patch * recipe_.scale;
  const int seen_channels = channels + (recipe_.mask.empty() ? 0 : 1);
  step_ = std::make_unique<TrainingStep>(
      *model_, Shape{recipe_.batch, recipe_.patch, recipe_.patch, seen_channels},
      Shape{recipe_.batch, side, side, channels}, recipe_.objective);
  std::error_code error;
  fs::create_directories(folder_, error);
  if (!fs::is_directory(folder_, error)) {
    throw WriteError(fmt::format("{}: no such folder, and it cannot be made", folder_));
  }
  fs::exists(file("state.safetensors"), error) ? resume() : start();
  log_ = std::make_unique<TrainingLog>(folder_, state_.step);
}

void Trainer::start() {
  state_.parameters = copies_of(values_of(*model_));
  state_.averages = copies_of(state_.parameters);
  state_.recipe = recipe_.text;
  optimizer_ = make_optimizer(recipe_.optimizer, state_.parameters);
}

void Trainer::resume() {
  state_ = read_training_state(file("state.safetensors"), model_->parameters());
  if (state_.recipe != recipe_.text) {
    throw UsageError(fmt::format(
        "{}: holds a training by another recipe; give another folder, or the recipe as it was",
        folder_));
  }
  optimizer_ = make_optimizer(recipe_.optimizer, state_.parameters);
  optimizer_->restore(state_.optimizer);
}

std::int64_t Trainer::parameters() const {
  std::int64_t count = 0;
  for (const Tensor& parameter : state_.parameters) count += parameter.shape().elements();
  return count;
}

bool Trainer::train_on(const Pairs& pairs, double& loss, double& norm) {
  loss = step_->run(state_.parameters, pairs.input, pairs.target);
  norm = norm_of(step_->gradients());
  if (!std::isfinite(loss) || !std::isfinite(norm)) return false;
  if (recipe_.clip > 0 && norm > recipe_.clip) scale_by(step_->gradients(), recipe_.clip / norm);
  optimizer_->set_learning_rate(state_.rate_factor * recipe_.schedule.rate(state_.step));
  optimizer_->step(step_->gradients());
  update_averages();
  return true;
}

/// The share that is kept grows to the recipe's: the first steps' weights are soon forgotten.
void Trainer::update_averages() {
  const auto step = static_cast<double>(state_.step);
  const double keep = std::min(recipe_.average, (1 + step) / (10 + step));
  move_averages(state_.averages, state_.parameters, keep);
}

void Trainer::roll_back() {
  const double factor = state_.rate_factor / 2;
  const std::int64_t rollbacks = state_.rollbacks + 1;
  if (rollbacks > kMostRollbacks) {
    throw NumericError(
        fmt::format("training: the loss is not finite from step {} on, after {} rollbacks; lower "
                    "the learning rate",
                    state_.step, kMostRollbacks));
  }
  std::error_code error;
  fs::exists(file("state.safetensors"), error) ? resume() : start();
  state_.rate_factor = factor;
  state_.rollbacks = rollbacks;
  tell_(fmt::format("the loss is not finite; back to step {} with {} of the learning rate",
                    state_.step, state_.rate_factor));
  save();
}

void Trainer::validate() {
  const ValidationScore score = validation_->score(*model_, state_.averages);
  log_->add(state_.step, score);
  write_image(file("sheet.png"), validation_->sheet(*model_, state_.averages, 4));
  write_image(file("curve.png"), draw_curve(log_->validations()));
  const bool is_best = score.psnr > state_.best_psnr;
  tell_(fmt::format("step {}: PSNR {:.3f} dB on held-out pictures (their inputs {:.3f}){}",
                    state_.step, score.psnr, score.psnr_of_input,
                    is_best ? ", the best so far" : ""));
  if (!is_best) return;
  state_.best_psnr = score.psnr;
  write_model(file("best.safetensors"));
}

void Trainer::write_model(const std::string& path) const {
  write_safetensors(path, checkpoint_of(*model_, state_.averages).tensors,
                    {{"hyperparameters", model_->hyperparameters().dump()},
                     {"task", recipe_.task},
                     {"recipe", recipe_.text},
                     {"step", fmt::format("{}", state_.step)}});
}

void Trainer::save() {
  state_.optimizer = optimizer_->state();
  write_model(file("model.safetensors"));
  write_training_state(file("state.safetensors"), state_, model_->parameters());
}

void Trainer::run(const std::function<void(const StepReport&)>& report, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const auto start = Clock::now();
  auto row_start = start;
  LogRow row{};
  int bad = 0;
  std::int64_t rows = 0;
  while (state_.step < recipe_.steps) {
    const Pairs pairs = pairs_->batch(state_.step * recipe_.batch, recipe_.batch);
    double loss = 0, norm = 0;
    try {
      bad = train_on(pairs, loss, norm) ? 0 : bad + 1;
    } catch (const Interrupted&) {
      save();  // a plan stops between its steps, before any parameter has changed
      throw;
    }
    if (bad >= kMostBadSteps) {
      roll_back();
      bad = 0;
      row = {};
      rows = 0;
      continue;
    }
    ++state_.step;
    if (bad == 0) {
      row.loss += loss;
      row.gradient_norm += norm;
      ++rows;
    } else {
      tell_(fmt::format("step {} skipped: its loss or gradient is not finite", state_.step));
    }
    if (state_.step % kLogEvery == 0 && rows > 0) {
      const auto count = static_cast<double>(rows);
      log_->add({state_.step, row.loss / count, optimizer_->learning_rate(),
                 row.gradient_norm / count, since(row_start) / count});
      row = {};
      rows = 0;
      row_start = Clock::now();
    }
    if (report) report({state_.step, recipe_.steps, loss});
    const bool last = state_.step == recipe_.steps;
    if (validation_ && (last || state_.step % recipe_.validate_every == 0)) validate();
    const bool stops = cancel_requested() || (seconds > 0 && since(start) >= seconds);
    // Not between bad steps: a resumed training has not counted those before.
    const bool saves = bad == 0 && state_.step % recipe_.checkpoint_every == 0;
    if (last || stops || saves) save();
    if (cancel_requested()) check_cancel();
    if (stops) return;
  }
}

}  // namespace mend
