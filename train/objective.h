// What a training makes small, as a recipe writes it: one loss, or a weighted sum of several.
//
//   "l1"
//   {"l1": 1, "fft_l1": 0.05, "ssim": 0.1}
//   {"charbonnier": {"weight": 1, "eps": 1e-6}, "total_variation": 1e-4}
//   "zero_dce", which is
//   {"spatial_consistency": 1, "exposure": {"weight": 10, "level": 0.6, "region": 16},
//    "colour_constancy": 5, "illumination_smoothness": 200}
//
// Losses look at the network's result and at what it should be; those that need no target at the result
// alone, at the result and the network's input, or at another of its outputs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/network.h"
#include "train/losses.h"

namespace mend {

/// A loss of one of the network's outputs. `other` is what its term compares it with.
using LossOf = std::function<Loss(const Tensor& x, const Tensor& other)>;

struct LossTerm {
  enum class Other { kTarget, kInput, kNothing };  ///< with kNothing `other` is not looked at

  std::string name;
  double weight = 1;
  std::string output;  ///< of traits.outputs; empty: the first, the picture
  Other other = Other::kTarget;
  LossOf loss;
};

/// L = Σ weight · loss over the terms.
using Objective = std::vector<LossTerm>;

/// Throws UsageError that begins with `place` for a loss or a parameter that is not known, a weight that
/// is not above 0, or no loss at all.
Objective make_objective(const Json& loss, const std::string& place);

}  // namespace mend
