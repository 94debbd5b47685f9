#include "train/adversary.h"

#include <map>

#include "kernels/gradient_tape.h"
#include "train/gradient_mean.h"
#include "train/loss_steps.h"
#include "train/trainer.h"
#include "train/training_state.h"
#include "weights/safetensors.h"

namespace mend {
namespace {

LossTerm verdict_term(double weight, const PixelLoss& loss, bool is_real) {
  return {"gan", weight, "", LossTerm::Other::kLabel, {}, loss, is_real ? 1.0f : 0.0f};
}

Shapes shapes_of(const Discriminator& discriminator) {
  Shapes shapes;
  for (const Parameter& parameter : discriminator.tensors()) {
    shapes.push_back(parameter.tensor.shape());
  }
  return shapes;
}

Shapes step_shapes(const Discriminator& discriminator, const Shape& picture) {
  Shapes shapes{picture, picture};
  for (const Shape& shape : shapes_of(discriminator)) shapes.push_back(shape);
  return shapes;
}

/// All but the real pictures.
std::vector<bool> lent_of(const Shapes& shapes) {
  std::vector<bool> lent(shapes.size(), true);
  lent[0] = false;
  return lent;
}

/// [real, made, tensors...] -> [loss of real, loss of made, gradients...], of these those that there are.
Network step_of(const Discriminator& discriminator, GanKind kind, std::vector<bool>& has_gradient) {
  return [&discriminator, kind, &has_gradient](const Tensors& given) {
    const auto tape = make_gradient_tape();
    Tensors tensors(given.begin() + 2, given.end()), watched;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (!discriminator.is_trained()[i]) continue;
      watched.push_back(tensors[i] = tape->watch(tensors[i]));
    }
    const Tensors verdicts = discriminator(tensors, {given[0], given[1]});
    Tensors made, cotangents;
    for (const bool is_real : {true, false}) {
      const Objective term{verdict_term(1, discriminator_loss(kind), is_real)};
      const Tensor logits = verdicts[is_real ? 0 : 1].taped(nullptr);
      const LossSteps steps = loss_steps(term, {logits});
      made.push_back(steps.value);
      cotangents.push_back(steps.gradient);
    }
    const Tensors gradients = tape->gradients(verdicts, cotangents, watched);
    has_gradient.clear();
    auto next = gradients.begin();
    for (const bool is_trained : discriminator.is_trained()) {
      const Tensor gradient = is_trained ? *next++ : Tensor();
      has_gradient.push_back(gradient.defined());
      if (gradient) made.push_back(gradient);
    }
    return made;
  };
}

}  // namespace

Adversary::Adversary(const AdversarialOptions& options, const Json& usual_optimizer,
                     const Shape& picture, int accumulate, std::uint64_t seed, Device& device)
    : device_(device),
      options_(options),
      optimizer_options_(options.optimizer.is_null() ? usual_optimizer : options.optimizer),
      discriminator_(options.discriminator, picture, seed),
      plan_(step_of(discriminator_, options.kind, has_gradient_),
            step_shapes(discriminator_, picture), nullptr,
            {.device = &device_, .lent = lent_of(step_shapes(discriminator_, picture))}),
      gradient_(accumulate) {
  start();
}

Critic Adversary::critic() const {
  return {[this](const Tensors& tensors, const Tensor& picture) {
            return discriminator_(tensors, {picture});
          },
          shapes_of(discriminator_),
          {verdict_term(options_.weight, generator_loss(options_.kind), true)}};
}

void Adversary::own(const Tensors& tensors) {
  tensors_ = on(device_, copies_of(tensors));
  optimizer_ = make_optimizer(optimizer_options_, tensors_);
  learning_rate_ = optimizer_->learning_rate();
  forget();
}

void Adversary::start() {
  Tensors first;
  for (const Parameter& parameter : discriminator_.tensors()) first.push_back(parameter.tensor);
  own(first);
}

void Adversary::restore(const Tensors& tensors, const Optimizer::State& optimizer) {
  own(tensors);
  optimizer_->restore(optimizer);
}

double Adversary::judge(const Tensor& real, const Tensor& made) {
  plan_.lend_input(1, made.dense() ? made : made.clone());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    plan_.lend_input(static_cast<int>(i) + 2, tensors_[i]);
  }
  plan_.set_input(0, real);
  plan_.run();
  of_batch_.clear();
  int next = 2;
  for (const bool there : has_gradient_) {
    of_batch_.push_back(there ? plan_.output(next++) : Tensor());
  }
  gradient_.add(of_batch_);
  plan_.results_later(0, 2, losses_);
  plan_.wait();
  double loss = 0;
  for (const Tensor& value : losses_) {
    loss += double{value.view<const float>()(0, 0, 0, 0)};
  }
  return loss;
}

double Adversary::gradient_norm(Replicas& replicas, GpuMean* gpus) {
  mean_ = gradient_.mean();
  gpus != nullptr ? gpus->average(mean_) : average(mean_, replicas);
  return norm_ = optimizer_->norm(mean_);
}

void Adversary::learn(double rate) {
  optimizer_->set_learning_rate(rate * learning_rate_);
  optimizer_->step(mean_, norm_);
  discriminator_.iterate(tensors_);
}

void Adversary::write(const std::string& path) const {
  std::map<std::string, StoredTensor> tensors;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const Parameter& parameter = discriminator_.tensors()[i];
    tensors[parameter.key] = to_stored(parameter, tensors_[i].on(cpu()));
  }
  write_safetensors(path, tensors, {{"discriminator", discriminator_.description()}});
}

}  // namespace mend
