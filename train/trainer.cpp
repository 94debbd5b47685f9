#include "train/trainer.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <span>

#include "engine/cancel.h"
#include "engine/error.h"
#include "engine/parallel.h"
#include "train/perceptual.h"
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
/// So that the two networks do not start with the same numbers.
constexpr std::uint64_t kDiscriminatorSeed = 0x64697363;

}  // namespace

Trainer::Trainer(Recipe recipe, std::string folder, Tell tell, std::shared_ptr<Replicas> replicas,
                 const OpenCheckpoint& open, Device& device, bool records,
                 std::unique_ptr<GpuMean> gpus)
    : recipe_(std::move(recipe)),
      folder_(std::move(folder)),
      tell_(std::move(tell)),
      replicas_(std::move(replicas)),
      device_(device),
      records_(records),
      share_(recipe_.batch / replicas_->size()),
      gpus_(std::move(gpus)),
      gradient_(recipe_.accumulate) {
  replicas_->check_same(std::as_bytes(std::span(recipe_.text)), "the recipe's numbers");
  replicas_->together([&] { set_up(open); });
  read_state();
  replicas_->lead(
      [&] { log_ = std::make_unique<TrainingLog>(folder_, state_.step, adversary_ != nullptr); });
}

void Trainer::set_up(const OpenCheckpoint& open) {
  if (share_ * replicas_->size() != recipe_.batch) {
    throw UsageError(fmt::format("training: a batch of {} has no equal shares for {} processes",
                                 recipe_.batch, replicas_->size()));
  }
  const Tell note = [this](const std::string& line) {
    if (replicas_->leads()) return tell_(line);
    // All have read the same headers; what is found later, others may never see.
    if (running_) tell_(fmt::format("rank {}: {}", replicas_->rank(), line));
  };
  model_ = std::make_unique<TrainableModel>(first_checkpoint(recipe_, note, open));
  check_mask(recipe_, *model_);
  PairOptions options = pair_options(recipe_, *model_, recipe_.seed, recipe_.patch);
  if (!recipe_.before.empty()) options.before = make_degradation(recipe_.before, "before");
  pairs_ = pairs_of(recipe_, recipe_.pictures, options, note);
  if (!recipe_.held_out.empty() && replicas_->leads()) {
    const PairOptions held_out =
        pair_options(recipe_, *model_, kValidationSeed, recipe_.validate_side / recipe_.scale);
    validation_ =
        std::make_unique<Validation>(*pairs_of(recipe_, recipe_.held_out, held_out, note),
                                     recipe_.validate_count, recipe_.scale, device_, records_);
  }
  const int side = recipe_.patch * recipe_.scale;
  const int seen_channels = options.picture_channels() + (recipe_.mask.empty() ? 0 : 1);
  const Shape target{share_, side, side, options.target_channels()};
  std::vector<Critic> critics;
  if (recipe_.loss.perceptual) critics.push_back(perceptual_critic(*recipe_.loss.perceptual));
  if (recipe_.loss.adversarial) {
    adversary_ =
        std::make_unique<Adversary>(*recipe_.loss.adversarial, recipe_.optimizer, target,
                                    recipe_.accumulate, recipe_.seed ^ kDiscriminatorSeed, device_);
    critics.push_back(adversary_->critic());
  }
  step_ = std::make_unique<TrainingStep>(
      *model_, Shape{share_, recipe_.patch, recipe_.patch, seen_channels}, target,
      recipe_.loss.objective, critics,
      recipe_.checkpointing ? LateReads::kRecomputed : LateReads::kKept, device_, records_,
      narrow_images_of(recipe_.precision));
  if (device_.kind() != DeviceKind::kCpu) ahead_ = std::make_unique<BatchAhead>(*pairs_, share_);
  if (replicas_->size() > 1 && !gpus_) {
    std::vector<std::int64_t> sizes;
    for (const Parameter& parameter : model_->parameters()) {
      sizes.push_back(parameter.tensor.shape().elements());
    }
    mean_ = std::make_unique<GradientMean>(replicas_, step_->final_order(), sizes, device_);
  }
  if (!replicas_->leads()) return;
  std::error_code error;
  fs::create_directories(folder_, error);
  if (!fs::is_directory(folder_, error)) {
    throw WriteError(fmt::format("{}: no such folder, and it cannot be made", folder_));
  }
}

void Trainer::read_state() {
  replicas_->together([&] {
    std::error_code error;
    const bool resumes = replicas_->leads() && fs::exists(file("state.safetensors"), error);
    resumes ? resume() : start();
  });
  if (replicas_->size() == 1) return;
  gather_state();
  broadcast(state_, *replicas_);
  optimizer_->restore(state_.optimizer);
  if (adversary_) adversary_->restore(state_.discriminator, state_.discriminator_optimizer);
}

void Trainer::say(const std::string& line) const {
  if (replicas_->leads()) tell_(line);
}

void Trainer::start() {
  state_.parameters = on(device_, copies_of(values_of(*model_)));
  state_.averages = copies_of(state_.parameters);
  state_.recipe = recipe_.text;
  optimizer_ = make_optimizer(recipe_.optimizer, state_.parameters);
  if (adversary_) adversary_->start();
}

void Trainer::resume() {
  state_ = read_training_state(file("state.safetensors"), model_->parameters(), adversaries());
  if (state_.recipe != recipe_.text) {
    throw UsageError(fmt::format(
        "{}: holds a training by another recipe; give another folder, or the recipe as it was",
        folder_));
  }
  state_.parameters = on(device_, state_.parameters);
  state_.averages = on(device_, state_.averages);
  optimizer_ = make_optimizer(recipe_.optimizer, state_.parameters);
  optimizer_->restore(state_.optimizer);
  if (adversary_) adversary_->restore(state_.discriminator, state_.discriminator_optimizer);
}

std::vector<Parameter> Trainer::adversaries() const {
  return adversary_ ? adversary_->discriminator().tensors() : std::vector<Parameter>{};
}

std::int64_t Trainer::parameters() const {
  std::int64_t count = 0;
  for (const Tensor& parameter : state_.parameters) count += parameter.shape().elements();
  return count;
}

Pairs Trainer::pairs_of_batch(std::int64_t batch) {
  const std::int64_t first = batch * recipe_.batch + replicas_->rank() * share_;
  return ahead_ ? ahead_->take(first, first + recipe_.batch) : pairs_->batch(first, share_);
}

double Trainer::start_batch(std::int64_t batch) {
  double discriminator_loss = 0;
  TrainingStep::Progress progress;
  if (mean_) {
    progress = [&](std::size_t final) { mean_->progress(step_->gradients(), final); };
  }
  std::exception_ptr fault;
  try {
    const Pairs pairs = pairs_of_batch(batch);
    step_->start(state_.parameters, pairs.input, pairs.target,
                 adversary_ ? adversary_->tensors() : Tensors{}, progress);
    if (adversary_) discriminator_loss = adversary_->judge(pairs.target, step_->picture());
  } catch (...) {
    fault = std::current_exception();
  }
  if (mean_) mean_->finish(step_->gradients());  // with a fault, too: the other ranks wait for it
  replicas_->meet(fault);
  if (gpus_) gpus_->average(step_->gradients());  // behind the meeting: a GPU would wait for ever
  return discriminator_loss;
}

bool Trainer::train(StepLosses& losses) {
  losses = {};
  gradient_.clear();
  if (adversary_) adversary_->forget();
  const auto add_loss = [&] { losses.loss += replicas_->mean(step_->loss()) / recipe_.accumulate; };
  for (int part = 0; part < recipe_.accumulate; ++part) {
    if (part > 0) add_loss();
    const double judged = start_batch(state_.step * recipe_.accumulate + part);
    losses.discriminator_loss += replicas_->mean(judged) / recipe_.accumulate;
    gradient_.add(step_->gradients());
  }
  const Tensors& gradient = gradient_.mean();
  losses.gradient_norm = optimizer_->norm(gradient);
  add_loss();  // behind the norm, which has waited for a GPU: so one wait is enough
  const double opposite_norm = adversary_ ? adversary_->gradient_norm(*replicas_, gpus_.get()) : 0;
  if (!std::isfinite(losses.loss + losses.gradient_norm)) return false;
  if (!std::isfinite(losses.discriminator_loss + opposite_norm)) return false;
  const bool clips = recipe_.clip > 0 && losses.gradient_norm > recipe_.clip;
  const double rate = state_.rate_factor * recipe_.schedule.rate(state_.step);
  optimizer_->set_learning_rate(rate);
  optimizer_->step(gradient, losses.gradient_norm, clips ? recipe_.clip / losses.gradient_norm : 1);
  if (adversary_) adversary_->learn(rate > 0 ? rate / recipe_.schedule.peak : 0);
  update_averages();
  return true;
}

/// The share that is kept grows to the recipe's: the first steps' weights are soon forgotten.
void Trainer::update_averages() {
  const auto step = static_cast<double>(state_.step);
  const double keep = std::min(recipe_.average, (1 + step) / (10 + step));
  move_averages(state_.averages, state_.parameters, keep, averaged_);
}

void Trainer::roll_back() {
  const double factor = state_.rate_factor / 2;
  const std::int64_t rollbacks = state_.rollbacks + 1;
  replicas_->together([&] {
    if (rollbacks <= kMostRollbacks) return;
    throw NumericError(
        fmt::format("training: the loss is not finite from step {} on, after {} rollbacks; lower "
                    "the learning rate",
                    state_.step, kMostRollbacks));
  });
  read_state();
  state_.rate_factor = factor;
  state_.rollbacks = rollbacks;
  say(fmt::format("the loss is not finite; back to step {} with {} of the learning rate",
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
  write_safetensors(path, checkpoint_of(*model_, on(cpu(), state_.averages)).tensors,
                    {{"hyperparameters", model_->hyperparameters().dump()},
                     {"task", recipe_.task},
                     {"recipe", recipe_.text},
                     {"step", fmt::format("{}", state_.step)}});
}

/// What optimizers and the discriminator hold, into the state.
void Trainer::gather_state() {
  state_.optimizer = optimizer_->state();
  if (!adversary_) return;
  state_.discriminator = adversary_->tensors();
  state_.discriminator_optimizer = adversary_->state();
}

void Trainer::save() {
  for (std::size_t i = 0; i < state_.parameters.size(); ++i) {
    const Tensor parameter = state_.parameters[i].on(cpu());
    const auto* numbers = static_cast<const std::byte*>(parameter.address());
    replicas_->check_same(
        {numbers, static_cast<std::size_t>(parameter.bytes())},
        fmt::format("after {} steps the numbers of {}", state_.step, model_->parameters()[i].key));
  }
  replicas_->lead([&] {
    gather_state();
    write_model(file("model.safetensors"));
    if (adversary_) adversary_->write(file("discriminator.safetensors"));
    write_training_state(file("state.safetensors"), state_, model_->parameters(), adversaries());
  });
}

void Trainer::run(const std::function<void(const StepReport&)>& report, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const auto start = Clock::now();
  running_ = true;
  auto row_start = start;
  LogRow row{};
  double discriminator_loss = 0;
  int bad = 0;
  std::int64_t rows = 0;
  while (state_.step < recipe_.steps) {
    StepLosses losses;
    try {
      bad = train(losses) ? 0 : bad + 1;
    } catch (const Interrupted&) {
      save();  // a plan stops between its steps, before any parameter has changed
      throw;
    }
    if (bad >= kMostBadSteps) {
      roll_back();
      bad = 0;
      row = {};
      discriminator_loss = 0;
      rows = 0;
      continue;
    }
    ++state_.step;
    if (bad == 0) {
      row.loss += losses.loss;
      row.gradient_norm += losses.gradient_norm;
      discriminator_loss += losses.discriminator_loss;
      ++rows;
    } else {
      say(fmt::format("step {} skipped: its loss or gradient is not finite", state_.step));
    }
    if (state_.step % kLogEvery == 0 && rows > 0) {
      const auto count = static_cast<double>(rows);
      replicas_->lead([&] {
        log_->add({state_.step, row.loss / count, optimizer_->learning_rate(),
                   row.gradient_norm / count, since(row_start) / count,
                   adversary_ ? std::optional(discriminator_loss / count) : std::nullopt});
      });
      row = {};
      discriminator_loss = 0;
      rows = 0;
      row_start = Clock::now();
    }
    if (report) report({state_.step, recipe_.steps, losses.loss});
    const bool last = state_.step == recipe_.steps;
    const bool validates = !recipe_.held_out.empty();
    if (validates && (last || state_.step % recipe_.validate_every == 0)) {
      replicas_->lead([&] { validate(); });
    }
    const bool cancelled = replicas_->any(cancel_requested());
    const bool late = seconds > 0 && since(start) >= seconds;
    const bool stops = cancelled || replicas_->any(replicas_->leads() && late);
    // Not between bad steps: a resumed training has not counted those before.
    const bool saves = bad == 0 && state_.step % recipe_.checkpoint_every == 0;
    if (last || stops || saves) save();
    if (cancelled) {
      replicas_->together([] {
        request_cancel();  // another rank's signal, perhaps
        check_cancel();
      });
    }
    if (stops) return;
  }
}

}  // namespace mend
