// Random networks of the test operations, the same for the same seed.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "engine/plan.h"
#include "tests/engine/test_ops.h"

namespace mend::test {

/// Whole numbers from -8 to 8.
inline Tensor small_integers(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (float& value : values) value = static_cast<float>(static_cast<int>(random() % 17) - 8);
  return Tensor::from(shape, values);
}

/// A network of about 15 steps with dense connections, views, constants, unused and shared values,
/// and one to three outputs; it takes two inputs of the same height and width.
class RandomNetwork {
 public:
  explicit RandomNetwork(unsigned seed) : seed_(seed) {
    constant_ = small_integers({1, kRows, kColumns, 2}, seed + 1000).named("body.0.weight");
  }

  static Shapes input_shapes() { return {{1, kRows, kColumns, 3}, {1, kRows, kColumns, 2}}; }
  static std::vector<Tensor> inputs(unsigned seed) {
    return {small_integers(input_shapes()[0], seed), small_integers(input_shapes()[1], seed + 1)};
  }

  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs) const {
    std::mt19937 random(seed_);
    std::vector<Tensor> values = inputs;
    values.push_back(constant_);
    const auto pick = [&] { return values[random() % values.size()]; };
    for (int step = 0; step < 15; ++step) values.push_back(next(random, pick));
    std::vector<Tensor> outputs;
    const int count = 1 + static_cast<int>(random() % 3);
    while (static_cast<int>(outputs.size()) < count) {
      const Tensor& value = values[values.size() - 1 - random() % 6];
      // A network's output depends on its inputs: in eager runs too, where any tensor would do.
      outputs.push_back(
          apply(Sum{}, {apply(Slice{0, 1}, {value}), apply(Slice{0, 1}, {inputs[0]})}));
      if (random() % 2 == 0) outputs.back() = apply(Join{}, {outputs.back(), value, inputs[1]});
    }
    return outputs;
  }

 private:
  static constexpr int kRows = 4, kColumns = 5;

  template <class Pick>
  static Tensor next(std::mt19937& random, const Pick& pick) {
    const Tensor x = pick(), z = pick();
    const int c = x.shape().c;
    switch (random() % 7) {
      case 0:
      case 1:
        return apply(Shift{static_cast<float>(random() % 5)}, {x});
      case 2:
        return apply(Max3{}, {x});
      case 3:
        if (c > 1) return apply(Slice{c / 2, c - c / 2}, {x});
        return apply(Max3{}, {x});
      case 4:
        if (x.shape() == z.shape()) return apply(Sum{}, {x, z});
        [[fallthrough]];
      default:
        if (c + z.shape().c > 24) return apply(Shift{-1}, {x});
        return apply(Join{}, {x, z});
    }
  }

  unsigned seed_;
  Tensor constant_;
};

}  // namespace mend::test
