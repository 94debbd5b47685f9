// How a network's parameters follow their gradients.
//
// An optimizer holds the parameters (handles: the network that has them sees them change) and what it
// remembers of their gradients, in f32, all on one device. The arithmetic is that of the rules of
// kernels/parameter_update: a step has the same bits on every device and for any number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/op.h"
#include "kernels/parameter_update/parameter_update.h"

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
  void step(Inputs gradients) { step(gradients, norm(gradients)); }
  /// The same with each gradient times `scale`, in the same pass; `norm` is what norm() said of them, and
  /// all that is looked at to see whether they are finite.
  void step(Inputs gradients, double norm, double scale = 1);
  /// √Σ g² over all gradients, NaN or infinite exactly if one of them is (GradientNorm). Throws ShapeError.
  double norm(Inputs gradients);

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
  /// The parameters: f32, dense, each once, on one device. Throws ShapeError for a slice, UsageError for the
  /// learning rate, a negative weight decay, or two devices.
  Optimizer(std::string_view name, std::vector<Tensor> parameters, double learning_rate,
            double weight_decay, int memories);

  /// What step number `step` of a parameter, from 1 on, does to each of its numbers.
  virtual NumberRule rule(std::int64_t step, double gradient_scale) const = 0;

  void require(bool condition, std::string_view rule) const;

 private:
  struct Parameter {
    Tensor value;
    std::vector<Tensor> memory;  ///< zero before the first step
    std::int64_t steps = 0;
  };
  std::string label(std::size_t i) const;
  /// The gradients, each dense; until the next call.
  const std::vector<Tensor>& checked(Inputs gradients);
  /// The least number of steps that a trained parameter has taken, above that of the last group.
  std::int64_t next_count(const std::vector<Tensor>& dense) const;
  [[noreturn]] void refuse_numbers(Inputs gradients);

  std::string_view name_;
  double learning_rate_ = 0;
  Device* device_ = &cpu();
  std::vector<Parameter> parameters_;
  GradientNorm norm_of_;
  TensorPieces pieces_;
  /// The parameters that have taken so many steps: rows of pieces_ from `first` on.
  struct Group {
    std::int64_t steps;
    std::size_t first;
  };
  // Of a call, kept for their room.
  std::vector<Tensor> dense_;
  std::vector<PieceRow> rows_;
  std::vector<Group> groups_;
};

/// Gradient descent with momentum: SgdRule.
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
  NumberRule rule(std::int64_t step, double gradient_scale) const override;
  SgdOptions options_;
};

/// How a weight is drawn to 0 in Adam.
enum class WeightDecay {
  kInGradient,  ///< g = dL/dθ + weight_decay · θ: L2 regularization, torch.optim.Adam
  kDecoupled,  ///< θ ← θ − learning_rate · weight_decay · θ before the step: torch.optim.AdamW
};

/// Adam and AdamW: AdamRule.
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
  NumberRule rule(std::int64_t step, double gradient_scale) const override;
  AdamOptions options_;
};

/// Lion: LionRule. Rates are 3 to 10 times lower than Adam's.
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
  NumberRule rule(std::int64_t step, double gradient_scale) const override;
  LionOptions options_;
};

}  // namespace mend
