// One operation made ready as a plan makes it ready: rung fixed, constants repacked, nothing
// allocated while it runs.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "engine/ladder.h"
#include "engine/plan.h"

namespace mend::bench {

/// Numbers in [-1, 1] with a pattern that repeats nowhere near, times `bound`.
inline Tensor wave(const Shape& shape, float bound = 1) {
  const Tensor x = Tensor::empty(shape);
  float* values = x.view<float>().data;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    values[i] = bound * std::sin(static_cast<float>(i) * 0.618f + 0.3f);
  }
  return x;
}

/// A constant's numbers: products with a kernel keep the size of what they are multiplied with.
inline Tensor constant(const Shape& shape) {
  const double terms = double(shape.h) * shape.w * shape.c;
  return wave(shape, shape.n > 1 ? static_cast<float>(1.7 / std::sqrt(terms)) : 1.0f);
}

/// The operation on inputs known at run time, the first ones, and then on constants; an empty shape
/// is an absent input. `rung`: "direct", or empty for the one that is chosen.
struct OneOp {
  OneOp(const AnyOp& op, const Shapes& inputs, const Shapes& constants,
        const std::string& rung = "")
      : plan_(make(op, inputs, constants, rung)) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      plan_.set_input(static_cast<int>(i), wave(inputs[i]));
    }
    plan_.run();  // packs and touches memory
  }

  void run() { plan_.run(); }
  const Plan& plan() const { return plan_; }
  Tensor input(int i) { return plan_.input(i); }
  Tensor output() { return plan_.output(0); }

 private:
  static Plan make(const AnyOp& op, const Shapes& inputs, const Shapes& constants,
                   const std::string& rung) {
    if (!rung.empty()) force_variant(std::string(op.name()), rung);
    std::vector<Tensor> given;
    for (const Shape& shape : constants) {
      given.push_back(shape.empty() ? Tensor() : constant(shape));
    }
    Plan plan(
        [&](const std::vector<Tensor>& x) {
          std::vector<Tensor> all = x;
          all.insert(all.end(), given.begin(), given.end());
          return std::vector{apply(op, Inputs(all))};
        },
        inputs);
    clear_forced_variants();
    return plan;
  }

  Plan plan_;
};

}  // namespace mend::bench
