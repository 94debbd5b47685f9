#include "train/single_picture.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/cancel.h"
#include "engine/error.h"
#include "models/trainable.h"
#include "train/initialize.h"
#include "train/loss_sums.h"
#include "train/traced_losses.h"
#include "train/trained_pictures.h"
#include "train/trainer.h"
#include "train/training_state.h"
#include "train/training_step.h"

namespace mend {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kLookEvery = 50;
constexpr int kPatience = 10;
constexpr double kLeastGain = 0.02;  // dB
constexpr double kClip = 0.5;        // of the gradient's norm

/// Σ body(x − target) over the numbers whose target is not NaN.
template <class Body>
double sum_of_known(const Tensor& x, const Tensor& target, const Body& body) {
  const int numbers = x.shape().w * x.shape().c;
  return sum(each_row(x.shape(), [&](int n, int h) {
    const float* value = x.view<const float>().pixel(n, h, 0);
    const float* wanted = target.view<const float>().pixel(n, h, 0);
    double total = 0;
    for (int i = 0; i < numbers; ++i) {
      if (!std::isnan(wanted[i])) total += body(static_cast<double>(value[i]) - wanted[i]);
    }
    return total;
  }));
}

/// PSNR in dB of the known numbers, of pictures in [0,1].
double known_psnr(const Tensor& x, const Tensor& target) {
  const double squares = sum_of_known(x, target, [](double d) { return d * d; });
  const double known = sum_of_known(x, target, [](double) { return 1.0; });
  return -10 * std::log10(std::max(squares / std::max(known, 1.0), 1e-10));
}

/// The network, its weights as they are and averaged, and the plan of a step.
class Pupil {
 public:
  Pupil(const Lesson& lesson, std::uint64_t seed, const Pairs& first, Device& device, bool records)
      : lesson_(lesson),
        device_(device),
        records_(records),
        model_(initial_checkpoint(architecture_named(lesson.architecture), lesson.hyperparameters,
                                  seed)),
        step_(model_, first.input.shape(), first.target.shape(),
              {{"known_l1", 1, "", LossTerm::Other::kTarget, traced_known_l1}}, {},
              LateReads::kKept, device, records),
        weights_(on(device, copies_of(values_of(model_)))),
        averages_(copies_of(weights_)),
        optimizer_(make_optimizer({{"name", "adam"}, {"learning_rate", 1e-3}}, weights_)) {}

  void learn(const Pairs& pairs) {
    const double loss = step_.run(weights_, pairs.input, pairs.target);
    if (!std::isfinite(loss))
      throw NumericError("adapt: the loss is not finite; try another --seed");
    const double norm = optimizer_->norm(step_.gradients());
    optimizer_->step(step_.gradients(), norm, norm > kClip ? kClip / norm : 1);
    constexpr double kKeep = 0.98;
    move_averages(averages_, weights_, kKeep, averaged_);
  }
  /// dB of the averaged weights.
  double score() const {
    const Tensors made =
        trained_pictures(model_, averages_, {lesson_.held_out.input}, device_, records_);
    return known_psnr(made[0], lesson_.held_out.target);
  }
  Checkpoint checkpoint() const {
    Checkpoint checkpoint = checkpoint_of(model_, on(cpu(), averages_));
    checkpoint.metadata["task"] = lesson_.task;
    return checkpoint;
  }

 private:
  const Lesson& lesson_;
  Device& device_;
  bool records_;
  TrainableModel model_;
  TrainingStep step_;
  Tensors weights_, averages_;
  TensorPieces averaged_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace

Learned learn(const Lesson& lesson, const AdaptOptions& options) {
  const auto start = Clock::now();
  Pupil pupil(lesson, options.seed, lesson.pairs(0), *options.tiles.devices.front(),
              options.tiles.records);
  AdaptProgress progress;
  Checkpoint best = pupil.checkpoint();
  progress.best_psnr = pupil.score();
  double at_last_gain = progress.best_psnr;
  int looks_without_gain = 0;
  bool is_over = false;
  while (looks_without_gain < kPatience && !is_over) {
    check_cancel();
    pupil.learn(lesson.pairs(progress.steps++));
    progress.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    is_over = progress.seconds >= options.seconds || progress.steps >= options.most_steps;
    if (progress.steps % kLookEvery != 0 && !is_over) continue;
    progress.psnr = pupil.score();
    if (progress.psnr > progress.best_psnr) {
      progress.best_psnr = progress.psnr;
      best = pupil.checkpoint();
    }
    const bool gained = progress.best_psnr > at_last_gain + kLeastGain;
    looks_without_gain = gained ? 0 : looks_without_gain + 1;
    if (gained) at_last_gain = progress.best_psnr;
    if (options.progress) options.progress(progress);
  }
  return {load_model(std::move(best)), progress, !is_over};
}

Loss known_l1_loss(const Tensor& x, const Tensor& target) {
  check_shapes("known_l1_loss", x, target);
  const double known = sum_of_known(x, target, [](double) { return 1.0; });
  Loss loss{0, Tensor::zeros(x.shape())};
  if (known == 0) return loss;
  loss.value = sum_of_known(x, target, [](double d) { return std::abs(d); }) / known;
  const int numbers = x.shape().w * x.shape().c;
  const View<float> gradient = loss.gradient.view<float>();
  each_row(x.shape(), [&](int n, int h) {
    const float* value = x.view<const float>().pixel(n, h, 0);
    const float* wanted = target.view<const float>().pixel(n, h, 0);
    float* slope = gradient.pixel(n, h, 0);
    for (int i = 0; i < numbers; ++i) {
      const double d = static_cast<double>(value[i]) - wanted[i];
      slope[i] = std::isnan(wanted[i]) ? 0 : static_cast<float>(sign(d) / known);
    }
    return 0.0;
  });
  return loss;
}

}  // namespace mend
