#include "train/training_step.h"

#include <fmt/format.h>

#include <string_view>

#include "engine/error.h"
#include "kernels/gradient_tape.h"

namespace mend {
namespace {

/// dL/dx of a loss L(x, target), as an operation of the plan.
struct LossGradient {
  static constexpr std::string_view kName = "loss_gradient";
  LossOf loss;

  Shape shape(const Shapes& in) const {
    if (in[0] == in[1]) return in[0];
    throw ShapeError(
        fmt::format("training: the network makes {} of its input, but the target is {}",
                    to_string(in[0]), to_string(in[1])));
  }
  Cost cost(const Shapes& in) const {
    return {3.0 * static_cast<double>(in[0].elements()),
            12.0 * static_cast<double>(in[0].elements())};
  }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const Tensor gradient = loss(inputs[0], inputs[1]).gradient;
    const View<const float> from = gradient.view<const float>();
    const View<float> to = y.view<float>();
    for (int n = 0; n < to.shape.n; ++n)
      for (int h = 0; h < to.shape.h; ++h)
        for (int w = 0; w < to.shape.w; ++w) {
          std::copy_n(from.pixel(n, h, w), to.shape.c, to.pixel(n, h, w));
        }
  }
};

Shapes shapes_of(const TrainableModel& model, const Shape& input, const Shape& target) {
  Shapes shapes{input, target};
  for (const Parameter& parameter : model.parameters()) shapes.push_back(parameter.tensor.shape());
  return shapes;
}

/// [input, target, parameters...] -> [prediction, gradients...], those that there are.
Network step_of(const TrainableModel& model, const LossOf& loss, std::vector<bool>& has_gradient) {
  return [&](const Tensors& given) {
    const auto tape = make_gradient_tape();
    Tensors watched;
    for (std::size_t i = 2; i < given.size(); ++i) watched.push_back(tape->watch(given[i]));
    const Tensor prediction = model.forward(watched, {given[0]})[0];
    const Tensor plain = prediction.taped(nullptr);
    const Tensor cotangent = apply(LossGradient{loss}, {plain, given[1]});
    Tensors made{plain};
    has_gradient.clear();
    for (const Tensor& gradient : tape->gradients({prediction}, {cotangent}, watched)) {
      has_gradient.push_back(gradient.defined());
      if (gradient) made.push_back(gradient);
    }
    return made;
  };
}

}  // namespace

LossOf loss_named(const std::string& name) {
  if (name == "l1") return [](const Tensor& x, const Tensor& t) { return l1_loss(x, t); };
  if (name == "mse") return [](const Tensor& x, const Tensor& t) { return mse_loss(x, t); };
  if (name == "charbonnier") {
    return [](const Tensor& x, const Tensor& t) { return charbonnier_loss(x, t); };
  }
  if (name == "psnr") return [](const Tensor& x, const Tensor& t) { return psnr_loss(x, t); };
  throw UsageError(fmt::format("'{}' is no loss; there are l1, mse, charbonnier, psnr", name));
}

TrainingStep::TrainingStep(const TrainableModel& model, const Shape& input, const Shape& target,
                           LossOf loss)
    : loss_(std::move(loss)),
      plan_(step_of(model, loss_, has_gradient_), shapes_of(model, input, target)) {}

double TrainingStep::run(const Tensors& parameters, const Tensor& input, const Tensor& target) {
  plan_.set_input(0, input);
  plan_.set_input(1, target);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    plan_.set_input(static_cast<int>(i) + 2, parameters[i]);
  }
  plan_.run();
  if (gradients_.empty()) {
    int next = 1;
    for (const bool there : has_gradient_) {
      gradients_.push_back(there ? plan_.output(next++) : Tensor());
    }
  }
  return loss_(plan_.output(0), target).value;
}

}  // namespace mend
