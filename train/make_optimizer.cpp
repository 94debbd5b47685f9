#include <fmt/format.h>

#include "train/entries.h"
#include "train/trainer.h"

namespace mend {
std::unique_ptr<Optimizer> make_optimizer(const Json& given, std::vector<Tensor> parameters) {
  Entries entries(given, "optimizer");
  std::string name = "adam";
  entries.take("name", name);
  std::unique_ptr<Optimizer> made;
  if (name == "adam" || name == "adamw") {
    AdamOptions adam;
    adam.learning_rate = 5e-4;
    entries.take("learning_rate", adam.learning_rate);
    entries.take("beta1", adam.beta1);
    adam.beta2 = 0.99;
    entries.take("beta2", adam.beta2);
    entries.take("eps", adam.eps);
    entries.take("weight_decay", adam.weight_decay);
    adam.decay = name == "adamw" ? WeightDecay::kDecoupled : WeightDecay::kInGradient;
    made = std::make_unique<Adam>(std::move(parameters), adam);
  } else if (name == "lion") {
    LionOptions lion;
    entries.take("learning_rate", lion.learning_rate);
    entries.take("beta1", lion.beta1);
    entries.take("beta2", lion.beta2);
    entries.take("weight_decay", lion.weight_decay);
    made = std::make_unique<Lion>(std::move(parameters), lion);
  } else if (name == "sgd") {
    SgdOptions sgd;
    entries.take("learning_rate", sgd.learning_rate);
    entries.take("momentum", sgd.momentum);
    entries.take("weight_decay", sgd.weight_decay);
    made = std::make_unique<Sgd>(std::move(parameters), sgd);
  } else {
    entries.refuse(fmt::format("'{}' is none of adam, adamw, lion, sgd", name));
  }
  entries.finish();
  return made;
}

}  // namespace mend
