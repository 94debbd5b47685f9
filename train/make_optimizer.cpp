#include <fmt/format.h>

#include "engine/error.h"
#include "train/trainer.h"

namespace mend {
namespace {

/// The entries of a recipe's "optimizer".
class Options {
 public:
  explicit Options(const Json& options) : options_(options) {}
  double number(const std::string& name, double otherwise) {
    ++taken_;
    const auto found = options_.find(name);
    if (found == options_.end()) {
      --taken_;
      return otherwise;
    }
    if (!found->is_number()) throw UsageError(fmt::format("optimizer: '{}' is no number", name));
    return found->get<double>();
  }
  void finish(const std::string& name) const {
    if (taken_ == static_cast<int>(options_.size()) - (options_.contains("name") ? 1 : 0)) return;
    throw UsageError(fmt::format("optimizer: {} does not know all of {}", name, options_.dump()));
  }

 private:
  const Json& options_;
  int taken_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const Json& given, std::vector<Tensor> parameters) {
  const std::string name = given.value("name", "adam");
  Options options(given);
  std::unique_ptr<Optimizer> made;
  if (name == "adam" || name == "adamw") {
    AdamOptions adam;
    adam.learning_rate = options.number("learning_rate", 5e-4);
    adam.beta1 = options.number("beta1", 0.9);
    adam.beta2 = options.number("beta2", 0.99);
    adam.eps = options.number("eps", 1e-8);
    adam.weight_decay = options.number("weight_decay", 0);
    adam.decay = name == "adamw" ? WeightDecay::kDecoupled : WeightDecay::kInGradient;
    made = std::make_unique<Adam>(std::move(parameters), adam);
  } else if (name == "lion") {
    LionOptions lion;
    lion.learning_rate = options.number("learning_rate", 1e-4);
    lion.beta1 = options.number("beta1", 0.9);
    lion.beta2 = options.number("beta2", 0.99);
    lion.weight_decay = options.number("weight_decay", 0);
    made = std::make_unique<Lion>(std::move(parameters), lion);
  } else if (name == "sgd") {
    SgdOptions sgd;
    sgd.learning_rate = options.number("learning_rate", 1e-2);
    sgd.momentum = options.number("momentum", 0.9);
    sgd.weight_decay = options.number("weight_decay", 0);
    made = std::make_unique<Sgd>(std::move(parameters), sgd);
  } else {
    throw UsageError(fmt::format("optimizer: '{}' is none of adam, adamw, lion, sgd", name));
  }
  options.finish(name);
  return made;
}

}  // namespace mend
