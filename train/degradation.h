// What happens to a good picture on its way to a bad one: the inputs of training are made from their
// targets by a list of these steps. `mend degrade` makes test pairs with the same ones.
//
// A list is JSON, every number in it:
//
//   [{"do": "blur", "shape": "gaussian", "deviation": [0.2, 3]},
//    {"do": "resize", "scale": 0.25, "filter": "bicubic"},
//    {"do": "any", "of": [[{"do": "gaussian_noise", "sigma": [1, 30]}],
//                         [{"do": "poisson_noise", "photons": [20, 2000]}]]},
//    {"do": "jpeg", "quality": [30, 95]}]
//
// A number given as [low, high] is drawn anew for each picture, uniformly; "maybe": 0.5 beside "do" skips
// the step in half of all pictures. docs/training.md lists the steps with their parameters.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"
#include "models/network.h"
#include "train/random.h"

namespace mend {

/// What a step may look at beside the picture.
struct DegradationContext {
  RandomStream& random;
  int height, width;  ///< of the picture that the network is to see; the step "fit" gets there
};

/// One step: a picture f32 [1,H,W,1 or 3], dense, 1 white, not clipped -> the same, perhaps of another
/// size. Reads x and leaves it as it is.
using Degradation = std::function<Tensor(const Tensor& x, const DegradationContext& context)>;

/// The steps of `list`, one after the other. Throws UsageError with the place in the list, which is called
/// `name`, if a step or a parameter is not known, is missing, or has an impossible value.
Degradation make_degradation(const Json& list, const std::string& name = "degrade");

/// The names of all steps, and the parameters that each of them takes.
struct DegradationKind {
  std::string_view name, parameters, what;
};
std::vector<DegradationKind> degradation_kinds();

}  // namespace mend
