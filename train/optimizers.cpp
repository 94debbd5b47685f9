#include "train/optimizers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/error.h"

namespace mend {
namespace {

/// The rule of momenta and betas.
bool below_one(double factor) { return factor >= 0 && factor < 1; }

}  // namespace

Optimizer::Optimizer(std::string_view name, std::vector<Tensor> parameters, double learning_rate,
                     double weight_decay, int memories)
    : name_(name) {
  set_learning_rate(learning_rate);
  require(std::isfinite(weight_decay) && weight_decay >= 0, "a weight decay of 0 or more");
  for (Tensor& value : parameters) {
    Parameter& parameter = parameters_.emplace_back();
    parameter.value = std::move(value);
    const Tensor& own = parameter.value;
    if (!own.defined() || !own.dense() || own.dtype() != DType::kF32) {
      throw ShapeError(
          fmt::format("{}: {} {} is not a whole f32 tensor, which alone can be trained", name_,
                      label(parameters_.size() - 1), to_string(own.shape())));
    }
    if (parameters_.size() == 1) device_ = &own.device();
    require(&own.device() == device_, "all parameters on one device");
    for (int i = 0; i < memories; ++i) {
      parameter.memory.push_back(Tensor::zeros(own.shape(), DType::kF32, *device_));
    }
  }
}

void Optimizer::require(bool condition, std::string_view rule) const {
  if (!condition) throw UsageError(fmt::format("{}: needs {}", name_, rule));
}

void Optimizer::set_learning_rate(double rate) {
  require(std::isfinite(rate) && rate >= 0, "a learning rate of 0 or more");
  learning_rate_ = rate;
}

std::string Optimizer::label(std::size_t i) const {
  const std::string& name = parameters_[i].value.name();
  return name.empty() ? fmt::format("parameter {}", i) : name;
}

const std::vector<Tensor>& Optimizer::checked(Inputs gradients) {
  if (gradients.size() != parameters_.size()) {
    throw ShapeError(fmt::format("{}: {} gradients for {} parameters", name_, gradients.size(),
                                 parameters_.size()));
  }
  dense_.assign(gradients.begin(), gradients.end());
  for (std::size_t i = 0; i < dense_.size(); ++i) {
    Tensor& gradient = dense_[i];
    if (!gradient.defined()) continue;
    const Shape& shape = parameters_[i].value.shape();
    if (gradient.shape() != shape) {
      throw ShapeError(fmt::format("{}: {} is {}, but its gradient {}", name_, label(i),
                                   to_string(shape), to_string(gradient.shape())));
    }
    require(&gradient.device() == device_, "gradients on the parameters' device");
    if (!gradient.dense()) gradient = gradient.clone();
  }
  return dense_;
}

double Optimizer::norm(Inputs gradients) { return norm_of_(checked(gradients)); }

void Optimizer::refuse_numbers(Inputs gradients) {
  std::size_t i = 0;
  while (i + 1 < gradients.size() && std::isfinite(norm_of_(gradients.subspan(i, 1)))) ++i;
  throw NumericError(
      fmt::format("{}: the gradient of {} is not finite; no parameter was changed (a lower "
                  "learning rate may help)",
                  name_, label(i)));
}

void Optimizer::step(Inputs gradients, double norm, double scale) {
  const std::vector<Tensor>& dense = checked(gradients);
  if (!std::isfinite(norm)) refuse_numbers(dense);
  std::size_t trained = 0;
  for (std::size_t i = 0; i < dense.size(); ++i) {
    if (!dense[i]) continue;
    ++parameters_[i].steps;
    ++trained;
  }
  // By their count of steps, which differs where a parameter had no gradient once: the rules are those of a count.
  rows_.clear();
  groups_.clear();
  while (rows_.size() < trained) {
    Group& group = groups_.emplace_back(Group{next_count(dense), rows_.size()});
    for (std::size_t i = 0; i < dense.size(); ++i) {
      const Parameter& parameter = parameters_[i];
      if (!dense[i] || parameter.steps != group.steps) continue;
      PieceRow& row = rows_.emplace_back();
      row = {parameter.value, dense[i]};
      for (std::size_t m = 0; m < parameter.memory.size(); ++m) {
        row.arrays[kFirstMemory + m] = parameter.memory[m].view<float>().data;
      }
    }
  }
  pieces_.assign(*device_, rows_);
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const std::size_t end = g + 1 < groups_.size() ? groups_[g + 1].first : rows_.size();
    for_each_number(rule(groups_[g].steps, scale), pieces_.of_rows(groups_[g].first, end));
  }
}

std::int64_t Optimizer::next_count(const std::vector<Tensor>& dense) const {
  const std::int64_t last = groups_.empty() ? 0 : groups_.back().steps;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < dense.size(); ++i) {
    if (dense[i] && parameters_[i].steps > last) least = std::min(least, parameters_[i].steps);
  }
  return least;
}

Optimizer::State Optimizer::state() const {
  State state;
  for (const Parameter& parameter : parameters_) {
    state.memory.insert(state.memory.end(), parameter.memory.begin(), parameter.memory.end());
    state.steps.push_back(parameter.steps);
  }
  return state;
}

void Optimizer::restore(const State& state) {
  const State own = this->state();
  bool fits = state.memory.size() == own.memory.size() && state.steps.size() == own.steps.size();
  for (std::size_t i = 0; fits && i < own.memory.size(); ++i) {
    fits = state.memory[i].dense() && state.memory[i].shape() == own.memory[i].shape();
  }
  if (!fits) throw ShapeError(fmt::format("{}: the state is of other parameters", name_));
  for (std::size_t i = 0; i < own.memory.size(); ++i) {
    const Tensor& from = state.memory[i];
    device_->copy(own.memory[i].storage()->data(), from.address(),
                  static_cast<std::size_t>(from.bytes()));
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].steps = state.steps[i];
}

Sgd::Sgd(std::vector<Tensor> parameters, const SgdOptions& options)
    : Optimizer("sgd", std::move(parameters), options.learning_rate, options.weight_decay, 1),
      options_(options) {
  require(below_one(options.momentum), "a momentum in [0,1)");
}

NumberRule Sgd::rule(std::int64_t, double gradient_scale) const {
  return SgdRule{learning_rate(), options_.momentum, options_.weight_decay, gradient_scale};
}

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options)
    : Optimizer(options.decay == WeightDecay::kDecoupled ? "adamw" : "adam", std::move(parameters),
                options.learning_rate, options.weight_decay, 2),
      options_(options) {
  require(below_one(options.beta1) && below_one(options.beta2), "beta1 and beta2 in [0,1)");
  require(std::isfinite(options.eps) && options.eps > 0, "an eps above 0");
}

NumberRule Adam::rule(std::int64_t step, double gradient_scale) const {
  const bool decoupled = options_.decay == WeightDecay::kDecoupled;
  const auto t = static_cast<double>(step);
  return AdamRule{
      .beta1 = options_.beta1,
      .beta2 = options_.beta2,
      .eps = options_.eps,
      .l2 = decoupled ? 0 : options_.weight_decay,
      .kept = decoupled ? 1 - learning_rate() * options_.weight_decay : 1,
      .rate = learning_rate() / (1 - std::pow(options_.beta1, t)),
      .root = 1 / std::sqrt(1 - std::pow(options_.beta2, t)),
      .gradient_scale = gradient_scale,
  };
}

Lion::Lion(std::vector<Tensor> parameters, const LionOptions& options)
    : Optimizer("lion", std::move(parameters), options.learning_rate, options.weight_decay, 1),
      options_(options) {
  require(below_one(options.beta1) && below_one(options.beta2), "betas in [0, 1)");
}

NumberRule Lion::rule(std::int64_t, double gradient_scale) const {
  return LionRule{learning_rate(), options_.beta1, options_.beta2, options_.weight_decay,
                  gradient_scale};
}

}  // namespace mend
