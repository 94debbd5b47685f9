// What a training makes small, as a recipe writes it: one loss, or a weighted sum of several.
//
//   "l1"
//   {"l1": 1, "fft_l1": 0.05, "ssim": 0.1}
//   {"charbonnier": {"weight": 1, "eps": 1e-6}, "total_variation": 1e-4}
//   "zero_dce", which is
//   {"spatial_consistency": 1, "exposure": {"weight": 10, "level": 0.6, "region": 16},
//    "colour_constancy": 5, "illumination_smoothness": 200}
//   {"l1": 1,
//    "perceptual": {"weight": 1, "vgg19": "vgg19.pth", "criterion": "l1",
//                   "layers": {"conv3_4": 1, "conv5_4": 1}},
//    "gan": {"weight": 0.1, "kind": "vanilla",                         // or least_squares, hinge
//            "discriminator": {"name": "unet", "num_feat": 64},        // or patch; train/discriminator.h
//            "optimizer": {"name": "adam", "learning_rate": 1e-4}}}    // without it, the network's
//
// Losses look at the network's result and at what it should be; those that need no target at the result
// alone, at the result and the network's input, or at another of its outputs. Two of them see the result
// through another network: perceptual through VGG19, gan through one that is trained against this one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/pixel_loss/kind.h"
#include "models/network.h"
#include "train/discriminator.h"
#include "train/losses.h"

namespace mend {

/// A loss of one of the network's outputs, [1,1,1,1], made of `apply` (train/traced_losses.h). `other` is what
/// its term compares it with.
using LossOf = std::function<Tensor(const Tensor& x, const Tensor& other)>;

struct LossTerm {
  /// With kNothing `other` is not looked at; with kLabel it is `label` everywhere.
  enum class Other { kTarget, kInput, kNothing, kLabel };

  std::string name;
  double weight = 1;
  std::string output;  ///< of traits.outputs; empty: the first, the picture
  Other other = Other::kTarget;
  LossOf loss;
  /// In place of `loss`, if it looks at one number at a time.
  std::optional<PixelLoss> pixel = {};
  float label = 0;
};

/// L = Σ weight · loss over the terms.
using Objective = std::vector<LossTerm>;

/// Throws UsageError that begins with `place` for a loss or a parameter that is not known, a weight that
/// is not above 0, or no loss at all. Does not know perceptual and gan.
Objective make_objective(const Json& loss, const std::string& place);

/// L = weight · Σ w · criterion(f(x), f(target)) over the layers, f what VGG19 (models/vgg19.h) gives there
/// (Johnson et al. 2016, arXiv:1603.08155). Pictures are RGB in [0,1].
/// Without "layers" those of ESRGAN's successor (Wang et al. 2021, arXiv:2107.10833): before the
/// activation, conv1_2 and conv2_2 0.1 each, conv3_4, conv4_4 and conv5_4 1 each. Equals BasicSR's
/// PerceptualLoss.
struct PerceptualOptions {
  double weight = 1;
  std::string vgg19;  ///< path of torchvision's weights
  std::vector<std::pair<std::string, double>> layers;
  PixelLossKind criterion = PixelLossKind::kL1;  ///< or kMse
};

/// A discriminator that learns to tell results from targets, and weight · generator_loss of its verdict.
/// Its learning rate follows the recipe's schedule in proportion; its gradient is not clipped.
struct AdversarialOptions {
  double weight = 1;
  GanKind kind = GanKind::kVanilla;
  DiscriminatorOptions discriminator;
  Json optimizer;  ///< train/trainer.h; null: as the network's
};

/// All that the entry "loss" of a recipe says.
struct LossOptions {
  Objective objective;
  std::optional<PerceptualOptions> perceptual;
  std::optional<AdversarialOptions> adversarial;
};

/// Throws UsageError as make_objective does. Reads no files.
LossOptions make_losses(const Json& loss, const std::string& place);

}  // namespace mend
