// The other side of an adversarial training: a discriminator that learns while the network does
// (Goodfellow et al. 2014, arXiv:1406.2661, algorithm 1, one step each).
//
//   the network's step:       input ─ network ─ picture ─ discriminator, as it is ─ generator_loss
//   the discriminator's:      picture, with no way back ─┐
//                             target ────────────────────┴ discriminator ─ discriminator_loss of each, added
//
// Both gradients are of the same numbers: both steps are taken when all of them are known and finite.
#pragma once

#include <memory>
#include <string>

#include "engine/gpu_mean.h"
#include "train/discriminator.h"
#include "train/objective.h"
#include "train/optimizers.h"
#include "train/replicas.h"
#include "train/training_step.h"

namespace mend {

class Adversary {
 public:
  /// For batches of pictures of this shape, `accumulate` of them a step. `usual_optimizer` is the network's.
  /// All is computed on `device`, where the discriminator's tensors lie. Throws as Discriminator and
  /// make_optimizer do, and UsageError if something in it does not run there.
  Adversary(const AdversarialOptions& options, const Json& usual_optimizer, const Shape& picture,
            int accumulate, std::uint64_t seed, Device& device = cpu());

  /// weight · generator_loss, for the network's step; its parameters are tensors().
  Critic critic() const;

  /// Begins with the discriminator's first numbers.
  void start();
  /// Goes on with what state() and tensors() were.
  void restore(const Tensors& tensors, const Optimizer::State& optimizer);
  const Tensors& tensors() const { return tensors_; }
  Optimizer::State state() const { return optimizer_->state(); }
  const Discriminator& discriminator() const { return discriminator_; }

  /// The discriminator's loss of one batch, whose gradient is added to those before; `real` lies in the host's
  /// memory, `made` on the device.
  double judge(const Tensor& real, const Tensor& made);
  /// √Σ g² of the mean gradient of the batches of this step, on all replicas; once a step, after the last
  /// of them. Collective. `gpus`: of the replicas, if they are joined.
  double gradient_norm(Replicas& replicas, GpuMean* gpus = nullptr);
  /// One step against that gradient, at `rate` of the optimizer's learning rate, and one of the power
  /// iterations.
  void learn(double rate);
  /// Forgets the batches of this step.
  void forget() { gradient_.clear(); }

  /// The discriminator under official keys.
  void write(const std::string& path) const;
  std::int64_t arena_bytes() const { return plan_.arena_bytes(); }

 private:
  void own(const Tensors& tensors);

  Device& device_;
  AdversarialOptions options_;
  Json optimizer_options_;
  Discriminator discriminator_;
  std::vector<bool> has_gradient_;  // written while plan_ is traced
  Plan plan_;
  Tensors tensors_;
  std::unique_ptr<Optimizer> optimizer_;
  double learning_rate_ = 0;
  AccumulatedGradient gradient_;
  Tensors mean_;
  double norm_ = 0;            // of mean_
  Tensors of_batch_, losses_;  // of a batch, kept for their room
};

}  // namespace mend
