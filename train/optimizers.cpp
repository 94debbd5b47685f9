#include "train/optimizers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/error.h"
#include "engine/parallel.h"

namespace mend {
namespace {

/// Numbers of a piece: enough to be worth a task, and their five arrays fit L2.
constexpr std::int64_t kPiece = 8192;

std::int64_t pieces_of(const Tensor& tensor) {
  return (tensor.shape().elements() + kPiece - 1) / kPiece;
}

bool all_finite(const float* numbers, std::int64_t count) {
  return std::all_of(numbers, numbers + count, [](float number) { return std::isfinite(number); });
}

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
    for (int i = 0; i < memories; ++i) parameter.memory.push_back(Tensor::zeros(own.shape()));
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

/// The gradients, each dense and finite.
std::vector<Tensor> Optimizer::checked(Inputs gradients) const {
  if (gradients.size() != parameters_.size()) {
    throw ShapeError(fmt::format("{}: {} gradients for {} parameters", name_, gradients.size(),
                                 parameters_.size()));
  }
  std::vector<Tensor> dense(gradients.begin(), gradients.end());
  for (std::size_t i = 0; i < dense.size(); ++i) {
    Tensor& gradient = dense[i];
    if (!gradient.defined()) continue;
    const Shape& shape = parameters_[i].value.shape();
    if (gradient.shape() != shape) {
      throw ShapeError(fmt::format("{}: {} is {}, but its gradient {}", name_, label(i),
                                   to_string(shape), to_string(gradient.shape())));
    }
    if (!gradient.dense()) gradient = gradient.clone();
    const float* numbers = gradient.view<const float>().data;
    std::vector<char> finite(static_cast<std::size_t>(pieces_of(gradient)));
    parallel_for(pieces_of(gradient), [&](std::int64_t piece, int) {
      const std::int64_t first = piece * kPiece;
      finite[static_cast<std::size_t>(piece)] =
          all_finite(numbers + first, std::min(kPiece, shape.elements() - first));
    });
    if (std::find(finite.begin(), finite.end(), 0) != finite.end()) {
      throw NumericError(
          fmt::format("{}: the gradient of {} is not finite; no parameter was changed (a lower "
                      "learning rate may "
                      "help)",
                      name_, label(i)));
    }
  }
  return dense;
}

void Optimizer::step(Inputs gradients) {
  const std::vector<Tensor> dense = checked(gradients);
  std::vector<Piece> pieces;  // of all parameters, so that small ones share the threads too
  for (std::size_t i = 0; i < dense.size(); ++i) {
    if (!dense[i].defined()) continue;
    Parameter& parameter = parameters_[i];
    ++parameter.steps;
    const std::int64_t elements = parameter.value.shape().elements();
    for (std::int64_t first = 0; first < elements; first += kPiece) {
      Piece& piece = pieces.emplace_back();
      piece.value = parameter.value.view<float>().data + first;
      piece.gradient = dense[i].view<const float>().data + first;
      for (std::size_t m = 0; m < parameter.memory.size(); ++m) {
        piece.memory[m] = parameter.memory[m].view<float>().data + first;
      }
      piece.count = static_cast<int>(std::min(kPiece, elements - first));
      piece.step = parameter.steps;
    }
  }
  parallel_for(static_cast<std::int64_t>(pieces.size()),
               [&](std::int64_t piece, int) { update(pieces[static_cast<std::size_t>(piece)]); });
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
    std::copy_n(state.memory[i].view<const float>().data, own.memory[i].shape().elements(),
                own.memory[i].view<float>().data);
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].steps = state.steps[i];
}

Sgd::Sgd(std::vector<Tensor> parameters, const SgdOptions& options)
    : Optimizer("sgd", std::move(parameters), options.learning_rate, options.weight_decay, 1),
      options_(options) {
  require(below_one(options.momentum), "a momentum in [0,1)");
}

void Sgd::update(const Piece& piece) const {
  const double rate = learning_rate();
  for (int i = 0; i < piece.count; ++i) {
    const double value = piece.value[i];
    const double g = piece.gradient[i] + options_.weight_decay * value;
    const double v = options_.momentum * piece.memory[0][i] + g;
    piece.memory[0][i] = static_cast<float>(v);
    piece.value[i] = static_cast<float>(value - rate * v);
  }
}

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options)
    : Optimizer(options.decay == WeightDecay::kDecoupled ? "adamw" : "adam", std::move(parameters),
                options.learning_rate, options.weight_decay, 2),
      options_(options) {
  require(below_one(options.beta1) && below_one(options.beta2), "beta1 and beta2 in [0,1)");
  require(std::isfinite(options.eps) && options.eps > 0, "an eps above 0");
}

void Adam::update(const Piece& piece) const {
  const double beta1 = options_.beta1, beta2 = options_.beta2;
  const bool decoupled = options_.decay == WeightDecay::kDecoupled;
  const double l2 = decoupled ? 0 : options_.weight_decay;
  const double kept = decoupled ? 1 - learning_rate() * options_.weight_decay : 1;
  const double t = static_cast<double>(piece.step);
  // m̂ / (√v̂ + eps) with the corrections taken out of the loop
  const double rate = learning_rate() / (1 - std::pow(beta1, t));
  const double root = 1 / std::sqrt(1 - std::pow(beta2, t));
  float *first = piece.memory[0], *second = piece.memory[1];
  for (int i = 0; i < piece.count; ++i) {
    const double value = piece.value[i];
    const double g = piece.gradient[i] + l2 * value;
    const double m = beta1 * first[i] + (1 - beta1) * g;
    const double v = beta2 * second[i] + (1 - beta2) * g * g;
    first[i] = static_cast<float>(m);
    second[i] = static_cast<float>(v);
    piece.value[i] =
        static_cast<float>(kept * value - rate * m / (std::sqrt(v) * root + options_.eps));
  }
}

Lion::Lion(std::vector<Tensor> parameters, const LionOptions& options)
    : Optimizer("lion", std::move(parameters), options.learning_rate, options.weight_decay, 1),
      options_(options) {
  require(below_one(options.beta1) && below_one(options.beta2), "betas in [0, 1)");
}

void Lion::update(const Piece& piece) const {
  const double rate = learning_rate(), decay = options_.weight_decay;
  float* m = piece.memory[0];
  for (int i = 0; i < piece.count; ++i) {
    const double g = piece.gradient[i];
    const double mix = options_.beta1 * m[i] + (1 - options_.beta1) * g;
    const double sign = mix > 0 ? 1 : mix < 0 ? -1 : 0;
    piece.value[i] = static_cast<float>(piece.value[i] - rate * (sign + decay * piece.value[i]));
    m[i] = static_cast<float>(options_.beta2 * m[i] + (1 - options_.beta2) * g);
  }
}

}  // namespace mend
