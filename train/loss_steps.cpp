#include "train/loss_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "engine/error.h"
#include "engine/parallel.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/pixel_loss/pixel_loss.h"

namespace mend {
namespace {

using Other = LossTerm::Other;

Tensor other_of(const LossTerm& term, Inputs inputs) {
  return term.other == Other::kTarget  ? inputs[1]
         : term.other == Other::kInput ? inputs[2]
         : term.other == Other::kLabel ? Tensor::full(inputs[0].shape(), term.label)
                                       : Tensor();
}

void check(const Objective& terms, const Shapes& in) {
  for (const LossTerm& term : terms) {
    if (term.other == Other::kNothing || term.other == Other::kLabel) continue;
    const bool is_target = term.other == Other::kTarget;
    const Shape& other = in[is_target ? 1 : 2];
    if (in[0] == other) continue;
    throw ShapeError(fmt::format(
        "training: {} compares what the network makes of its input, {}, with {}, {}", term.name,
        to_string(in[0]), is_target ? "the target" : "its input", to_string(other)));
  }
}

Cost cost_of(const Objective& terms, const Shapes& in) {
  const auto numbers = static_cast<double>(in[0].elements()) * static_cast<double>(terms.size());
  return {3.0 * numbers, 12.0 * numbers};
}

struct LossGradient {
  static constexpr std::string_view kName = "loss_gradient";
  Objective terms;

  Shape shape(const Shapes& in) const {
    check(terms, in);
    return in[0];
  }
  Cost cost(const Shapes& in) const { return cost_of(terms, in); }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const View<float> to = y.view<float>();
    const Shape& shape = to.shape;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const Tensor gradient = terms[i].loss(inputs[0], other_of(terms[i], inputs)).gradient;
      const View<const float> from = gradient.view<const float>();
      const double weight = terms[i].weight;
      parallel_for(std::int64_t{shape.n} * shape.h, [&](std::int64_t row, int) {
        const int n = static_cast<int>(row / shape.h), h = static_cast<int>(row % shape.h);
        for (int w = 0; w < shape.w; ++w)
          for (int c = 0; c < shape.c; ++c) {
            const auto part = static_cast<float>(weight * from(n, h, w, c));
            to(n, h, w, c) = i == 0 ? part : to(n, h, w, c) + part;
          }
      });
    }
  }
};

struct LossValue {
  static constexpr std::string_view kName = "loss_value";
  Objective terms;

  Shape shape(const Shapes& in) const {
    check(terms, in);
    return {1, 1, 1, 1};
  }
  Cost cost(const Shapes& in) const { return cost_of(terms, in); }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    double value = 0;
    for (const LossTerm& term : terms) {
      value += term.weight * term.loss(inputs[0], other_of(term, inputs)).value;
    }
    y.view<float>()(0, 0, 0, 0) = static_cast<float>(value);
  }
};

/// Σ over the terms: those that look at one number at a time as operations of their own, `Whole` for the rest.
template <class Pixel, class Whole>
Tensor sum_of(const Objective& terms, const Tensors& inputs) {
  check(terms, shapes_of(inputs));
  Tensor sum;
  const auto add = [&](const Tensor& part) {
    sum = sum ? mend::apply(op::Binary{BinaryKind::kAdd}, {sum, part}) : part;
  };
  Objective rest;
  for (const LossTerm& term : terms) {
    if (!term.pixel) {
      rest.push_back(term);
      continue;
    }
    PixelLoss loss = *term.pixel;
    loss.weight *= term.weight;
    add(mend::apply(Pixel{loss}, {inputs[0], other_of(term, inputs)}));
  }
  if (!rest.empty()) add(mend::apply(Whole{rest}, Inputs(inputs)));
  return sum;
}

}  // namespace

Tensor gradient_of(const Objective& terms, const Tensors& inputs) {
  return sum_of<op::PixelLossGradient, LossGradient>(terms, inputs);
}

Tensor value_of(const Objective& terms, const Tensors& inputs) {
  return sum_of<op::PixelLossValue, LossValue>(terms, inputs);
}

}  // namespace mend
