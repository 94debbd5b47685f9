// Training on one picture until what is held out of it gets no better: what the tasks of adapt.h share.
#pragma once

#include <functional>
#include <string>

#include "models/network.h"
#include "train/adapt.h"
#include "train/losses.h"
#include "train/pairs.h"

namespace mend {

/// What is learned, and how it is judged.
struct Lesson {
  std::string task, architecture;
  Json hyperparameters;
  /// The pairs of step `step`. Pixels that the network is not to be judged by are NaN in the target.
  std::function<Pairs(std::int64_t step)> pairs;
  /// The same with what is held out, for a score that hardly depends on chance.
  Pairs held_out;
};

struct Learned {
  Model model;
  AdaptProgress progress;
  bool stopped_early = false;
};

/// Adam at 1e-3 on the mean absolute error of known pixels, gradients clipped to a norm of 0.5. The network is that with the best averaged
/// weights (EMA 0.98) by the held-out pairs, which are looked at after every 50 steps; it ends when ten
/// looks in a row gained less than 0.02 dB together, or when the time is up.
Learned learn(const Lesson& lesson, const AdaptOptions& options);

/// L = Σ |d| / K over the K numbers whose target is not NaN, d = x − target; 0 if there are none.
/// x and target f32 [N,H,W,C]. Throws ShapeError if the shapes differ.
Loss known_l1_loss(const Tensor& x, const Tensor& target);

}  // namespace mend
