#include "train/perceptual.h"

#include <memory>

#include "models/vgg19.h"
#include "weights/checkpoint.h"

namespace mend {

Critic perceptual_critic(const PerceptualOptions& options) {
  Critic critic;
  std::vector<std::string> names;
  for (const auto& [name, weight] : options.layers) {
    names.push_back(name);
    critic.terms.push_back({"perceptual " + name,
                            options.weight * weight,
                            "",
                            LossTerm::Other::kTarget,
                            {},
                            PixelLoss{options.criterion}});
  }
  const auto vgg = std::make_shared<const Vgg19>(read_checkpoint(options.vgg19), names);
  critic.features = [vgg](const Tensors&, const Tensor& picture) { return (*vgg)(picture); };
  return critic;
}

}  // namespace mend
