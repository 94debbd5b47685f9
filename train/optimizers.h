// How a network's parameters follow their gradients.
//
// An optimizer holds the parameters (handles: the network that has them sees them change) and what it
// remembers of their gradients, in f32. Arithmetic is in double and rounds once for each number
// stored, so a step has the same bits for any number of threads.
//
// Next idea: the loops are plain C++ for the baseline instruction set. Adam takes 6.6 ns a number on
// one core, for a square root and a division on two lanes; its 28 bytes of traffic would take 2 ns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/op.h"

namespace mend {

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Changes all parameters by one step. gradients[i], dL/dθ of parameter i, has its shape, or is
  /// undefined: then the parameter stays as it is, and so does what is remembered of it.
  /// Throws ShapeError if number or shapes differ, NumericError if a gradient is NaN or infinite;
  /// nothing has changed then.
  void step(Inputs gradients);

  /// What is remembered of the gradients, parameter by parameter, and how many steps each has taken: all
  /// that a resumed training needs beside the parameters.
  struct State {
    std::vector<Tensor> memory;
    std::vector<std::int64_t> steps;
  };
  /// Handles: they change with the next step.
  State state() const;
  /// Copies the numbers of `state`. Throws ShapeError if it is of other parameters.
  void restore(const State& state);

  double learning_rate() const { return learning_rate_; }
  /// For schedules. Throws UsageError unless it is finite and not negative.
  void set_learning_rate(double rate);

 protected:
  /// The parameters: f32, dense, each once. Throws ShapeError for a slice, UsageError for the
  /// learning rate or a negative weight decay.
  Optimizer(std::string_view name, std::vector<Tensor> parameters, double learning_rate,
            double weight_decay, int memories);

  /// Neighbouring numbers of one parameter, of its gradient, and of what is remembered of it.
  struct Piece {
    float* value;
    const float* gradient;
    float* memory[2];
    int count;
    std::int64_t step;  ///< 1 for the first step of this parameter
  };
  virtual void update(const Piece& piece) const = 0;

  void require(bool condition, std::string_view rule) const;

 private:
  struct Parameter {
    Tensor value;
    std::vector<Tensor> memory;  ///< zero before the first step
    std::int64_t steps = 0;
  };
  std::string label(std::size_t i) const;
  std::vector<Tensor> checked(Inputs gradients) const;

  std::string_view name_;
  double learning_rate_ = 0;
  std::vector<Parameter> parameters_;
};

/// Gradient descent with momentum.
///
///   g = dL/dθ + weight_decay · θ
///   v ← momentum · v + g
///   θ ← θ − learning_rate · v
///
/// Polyak 1964 in the form of Sutskever et al. 2013 that torch.optim.SGD has (dampening 0, without
/// Nesterov's step): the rate is outside of v, so a changed rate acts at once.
struct SgdOptions {
  double learning_rate = 1e-2;
  double momentum = 0.9;  ///< in [0,1)
  double weight_decay = 0;
};
class Sgd final : public Optimizer {
 public:
  /// Throws what Optimizer does, and UsageError if the momentum is out of range.
  Sgd(std::vector<Tensor> parameters, const SgdOptions& options);

 private:
  void update(const Piece& piece) const override;
  SgdOptions options_;
};

/// How a weight is drawn to 0 in Adam.
enum class WeightDecay {
  kInGradient,  ///< g = dL/dθ + weight_decay · θ: L2 regularization, torch.optim.Adam
  kDecoupled,  ///< θ ← θ − learning_rate · weight_decay · θ before the step: torch.optim.AdamW
};

/// Steps as large as the mean of the gradients is beside their root mean square.
///
///   m ← beta1 · m + (1 − beta1) · g          m̂ = m / (1 − beta1ᵗ)
///   v ← beta2 · v + (1 − beta2) · g²         v̂ = v / (1 − beta2ᵗ)
///   θ ← θ − learning_rate · m̂ / (√v̂ + eps)
///
/// in step t = 1, 2, … of a parameter (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1). Decoupled
/// decay: AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2), with the learning rate in
/// the place of the schedule η, as PyTorch has it.
struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;  ///< in [0,1)
  double eps = 1e-8;                  ///< above 0
  double weight_decay = 0;
  WeightDecay decay = WeightDecay::kInGradient;
};
class Adam final : public Optimizer {
 public:
  /// Throws what Optimizer does, and UsageError if beta1, beta2 or eps is out of range.
  Adam(std::vector<Tensor> parameters, const AdamOptions& options);

 private:
  void update(const Piece& piece) const override;
  AdamOptions options_;
};

/// Steps of one size, in the direction of a sign.
///
///   θ ← θ − learning_rate · (sign(beta1 · m + (1 − beta1) · g) + weight_decay · θ)
///   m ← beta2 · m + (1 − beta2) · g
///
/// Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2). Rates are 3 to 10 times lower than Adam's.
struct LionOptions {
  double learning_rate = 1e-4;
  double beta1 = 0.9, beta2 = 0.99;  ///< in [0,1)
  double weight_decay = 0;
};
class Lion final : public Optimizer {
 public:
  /// Throws what Optimizer does, and UsageError if beta1 or beta2 is out of range.
  Lion(std::vector<Tensor> parameters, const LionOptions& options);

 private:
  void update(const Piece& piece) const override;
  LionOptions options_;
};

}  // namespace mend
