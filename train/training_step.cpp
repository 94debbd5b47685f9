#include "train/training_step.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "engine/error.h"
#include "kernels/gradient_tape.h"
#include "train/pairs.h"

namespace mend {
namespace {

/// Σ weight · loss of x, with its gradient.
Loss weighted_sum(const Objective& terms, const Tensor& x, const Tensor& target,
                  const Tensor& input) {
  Loss total{0, Tensor::zeros(x.shape())};
  float* sum = total.gradient.view<float>().data;
  for (const LossTerm& term : terms) {
    const Loss loss = term.loss(x, term.other == LossTerm::Other::kInput ? input : target);
    total.value += term.weight * loss.value;
    const float* gradient = loss.gradient.view<const float>().data;
    for (std::int64_t i = 0; i < x.shape().elements(); ++i) {
      sum[i] += static_cast<float>(term.weight * gradient[i]);
    }
  }
  return total;
}

/// dL/dx of [x, target, input], as an operation of the plan.
struct LossGradient {
  static constexpr std::string_view kName = "loss_gradient";
  Objective terms;

  Shape shape(const Shapes& in) const {
    for (const LossTerm& term : terms) {
      if (term.other == LossTerm::Other::kTarget) check(in, term, in[1], "the target");
      if (term.other == LossTerm::Other::kInput) check(in, term, in[2], "its input");
    }
    return in[0];
  }
  Cost cost(const Shapes& in) const {
    const auto numbers = static_cast<double>(in[0].elements()) * static_cast<double>(terms.size());
    return {3.0 * numbers, 12.0 * numbers};
  }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    const Tensor gradient = weighted_sum(terms, inputs[0], inputs[1], inputs[2]).gradient;
    const View<const float> from = gradient.view<const float>();
    const View<float> to = y.view<float>();
    for (int n = 0; n < to.shape.n; ++n)
      for (int h = 0; h < to.shape.h; ++h)
        for (int w = 0; w < to.shape.w; ++w) {
          std::copy_n(from.pixel(n, h, w), to.shape.c, to.pixel(n, h, w));
        }
  }

 private:
  static void check(const Shapes& in, const LossTerm& term, const Shape& other,
                    std::string_view what) {
    if (in[0] == other) return;
    throw ShapeError(
        fmt::format("training: {} compares what the network makes of its input, {}, with {}, {}",
                    term.name, to_string(in[0]), what, to_string(other)));
  }
};

/// The terms, by the output that they look at.
std::vector<JudgedOutput> judged_outputs(const TrainableModel& model, const Objective& objective) {
  const std::vector<std::string>& outputs = model.traits().outputs;
  std::map<std::size_t, Objective> by_output;
  for (const LossTerm& term : objective) {
    const auto found = term.output.empty() ? outputs.begin()
                                           : std::find(outputs.begin(), outputs.end(), term.output);
    if (found == outputs.end()) {
      throw UsageError(fmt::format("training: {} looks at the output '{}'; {} has {}", term.name,
                                   term.output, model.description(), fmt::join(outputs, ", ")));
    }
    by_output[static_cast<std::size_t>(found - outputs.begin())].push_back(term);
  }
  std::vector<JudgedOutput> judged;
  for (auto& [index, terms] : by_output) judged.push_back({index, std::move(terms)});
  return judged;
}

Shapes shapes_of(const TrainableModel& model, const Shape& input, const Shape& target) {
  Shapes shapes{input, target};
  for (const Parameter& parameter : model.parameters()) shapes.push_back(parameter.tensor.shape());
  return shapes;
}

/// [input, target, parameters...] -> [judged outputs..., gradients...], those that there are.
Network step_of(const TrainableModel& model, const std::vector<JudgedOutput>& judged,
                std::vector<bool>& has_gradient) {
  return [&](const Tensors& given) {
    const auto tape = make_gradient_tape();
    Tensors watched;
    for (std::size_t i = 2; i < given.size(); ++i) watched.push_back(tape->watch(given[i]));
    const Tensors outputs = model.forward(watched, network_inputs(model.traits(), given[0]));
    Tensors made, ends, cotangents;
    for (const auto& [index, terms] : judged) {
      const Tensor& plain = made.emplace_back(outputs[index].taped(nullptr));
      ends.push_back(outputs[index]);
      cotangents.push_back(apply(LossGradient{terms}, {plain, given[1], given[0]}));
    }
    has_gradient.clear();
    for (const Tensor& gradient : tape->gradients(ends, cotangents, watched)) {
      has_gradient.push_back(gradient.defined());
      if (gradient) made.push_back(gradient);
    }
    return made;
  };
}

}  // namespace

TrainingStep::TrainingStep(const TrainableModel& model, const Shape& input, const Shape& target,
                           const Objective& objective)
    : judged_(judged_outputs(model, objective)),
      plan_(step_of(model, judged_, has_gradient_), shapes_of(model, input, target)) {}

double TrainingStep::run(const Tensors& parameters, const Tensor& input, const Tensor& target) {
  plan_.set_input(0, input);
  plan_.set_input(1, target);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    plan_.set_input(static_cast<int>(i) + 2, parameters[i]);
  }
  plan_.run();
  if (gradients_.empty()) {
    auto next = static_cast<int>(judged_.size());
    for (const bool there : has_gradient_) {
      gradients_.push_back(there ? plan_.output(next++) : Tensor());
    }
  }
  double loss = 0;
  for (std::size_t i = 0; i < judged_.size(); ++i) {
    loss += weighted_sum(judged_[i].terms, plan_.output(static_cast<int>(i)), target, input).value;
  }
  return loss;
}

double norm_of(const Tensors& gradients) {
  double squares = 0;
  for (const Tensor& gradient : gradients) {
    if (!gradient) continue;
    const float* values = gradient.view<const float>().data;
    for (std::int64_t i = 0; i < gradient.shape().elements(); ++i) {
      squares += double{values[i]} * values[i];
    }
  }
  return std::sqrt(squares);
}

void scale_by(const Tensors& gradients, double factor) {
  for (const Tensor& gradient : gradients) {
    if (!gradient) continue;
    float* values = gradient.view<float>().data;
    for (std::int64_t i = 0; i < gradient.shape().elements(); ++i) {
      values[i] = static_cast<float>(factor * values[i]);
    }
  }
}

}  // namespace mend
