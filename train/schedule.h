// How the learning rate goes over a training.
#pragma once

#include <cstdint>
#include <vector>

namespace mend {

/// rate(t) = peak · min(1, (t + 1) / warm_up) · shape(t),  t = 0, 1, ... steps − 1
///
///   constant    shape = 1
///   cosine      shape = low + (1 − low)·(1 + cos(π·u))/2,  u = (t − warm_up) / (steps − warm_up),
///               low = final / peak (Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts)
///   multi_step  shape = factor^(how many of `milestones` are at most t)
struct Schedule {
  enum class Kind { kConstant, kCosine, kMultiStep } kind = Kind::kCosine;
  double peak = 5e-4, final = 1e-6;
  std::int64_t warm_up = 0, steps = 1;
  double factor = 0.5;
  std::vector<std::int64_t> milestones = {};

  double rate(std::int64_t step) const;
};

}  // namespace mend
