#include "train/loss_steps.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/gradient_tape.h"
#include "kernels/pixel_loss/pixel_loss.h"
#include "layers/functions.h"

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

void add_to(Tensor& sum, const Tensor& part) { sum = sum ? sum + part : part; }

}  // namespace

LossSteps loss_steps(const Objective& terms, const Tensors& inputs) {
  check(terms, shapes_of(inputs));
  LossSteps steps;
  const auto tape = make_gradient_tape();
  const Tensor x = tape->watch(inputs[0]);
  Tensor taped;  // the sum of the terms that the tape finds the gradient of
  for (const LossTerm& term : terms) {
    const Tensor other = other_of(term, inputs);
    if (!term.pixel) {
      add_to(taped, term.loss(x, other) * static_cast<float>(term.weight));
      continue;
    }
    PixelLoss loss = *term.pixel;
    loss.weight *= term.weight;
    add_to(steps.value, apply(op::PixelLossValue{loss}, {inputs[0], other}));
    add_to(steps.gradient, apply(op::PixelLossGradient{loss}, {inputs[0], other}));
  }
  if (taped) {
    add_to(steps.value, taped.taped(nullptr));
    const Tensor one = constant_beside(inputs[0], Tensor::full(vector_shape(1), 1));
    add_to(steps.gradient, tape->gradients({taped}, {one}, {x})[0]);
  }
  return steps;
}

}  // namespace mend
