#include "engine/tape.h"

#include <fmt/format.h>

#include <cassert>

#include "engine/error.h"

namespace mend {
namespace {

void check_cotangents(const Tensors& outputs, const Tensors& cotangents) {
  if (outputs.size() != cotangents.size()) {
    throw ShapeError(
        fmt::format("gradient: {} cotangents for {} outputs", cotangents.size(), outputs.size()));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].shape() == cotangents[i].shape()) continue;
    throw ShapeError(fmt::format("gradient: output {} is {}, but its cotangent {}", i,
                                 to_string(outputs[i].shape()), to_string(cotangents[i].shape())));
  }
}

}  // namespace

Tensor GradientTape::watch(const Tensor& x) { return x.taped(shared_from_this(), values_++); }

int GradientTape::value_of(const Tensor& tensor) const {
  return tensor.tape().get() == this ? tensor.taped_value() : kUntaped;
}

Tensor GradientTape::record(const AnyOp& op, Inputs inputs, const Tensor& y) {
  Step step{op, {}, {}, y.taped(nullptr), values_++, {}};
  std::vector<bool> wanted;
  for (const Tensor& input : inputs) {
    step.values.push_back(value_of(input));
    wanted.push_back(step.values.back() != kUntaped);
    if (step.label.empty() && !input.name().empty()) {
      step.label = input.name().substr(0, input.name().rfind('.'));
    }
  }
  const Saves saves = op.saves(wanted);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    step.inputs.push_back(saves.input(i) ? inputs[i].taped(nullptr) : inputs[i].without_pixels());
  }
  if (!saves.y) step.y = y.without_pixels();
  steps_.push_back(std::move(step));
  return y.taped(shared_from_this(), steps_.back().value);
}

std::vector<bool> GradientTape::dependent_on(const Tensors& watched) const {
  std::vector<bool> dependent(static_cast<std::size_t>(values_), false);
  for (const Tensor& x : watched) {
    if (const int value = value_of(x); value != kUntaped) dependent[value] = true;
  }
  for (const Step& step : steps_) {
    for (const int value : step.values) {
      if (value != kUntaped && dependent[value]) dependent[step.value] = true;
    }
  }
  return dependent;
}

void GradientTape::add_to(Tensor& sum, const Tensor& gradient) const {
  sum = sum ? apply(sum_, {sum, gradient}) : gradient;
}

Tensors GradientTape::gradients(const Tensors& outputs, const Tensors& cotangents,
                                const Tensors& watched) {
  check_cotangents(outputs, cotangents);
  const std::vector<bool> dependent = dependent_on(watched);
  Tensors gradient(static_cast<std::size_t>(values_));  // by value
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const int value = value_of(outputs[i]);
    if (value != kUntaped && dependent[value]) {
      add_to(gradient[value], cotangents[i].taped(nullptr));
    }
  }
  std::vector<bool> asked(static_cast<std::size_t>(values_), false);
  for (const Tensor& x : watched) {
    if (const int value = value_of(x); value != kUntaped) asked[value] = true;
  }
  for (; !steps_.empty(); steps_.pop_back()) {
    const Step& step = steps_.back();
    const Tensor dy = gradient[step.value];
    if (!dy) continue;
    if (!asked[step.value]) gradient[step.value] = Tensor();
    if (!step.op.has_backward()) {
      throw UsageError(
          fmt::format("gradient: {}{} has none, and a trained parameter lies behind it",
                      step.op.name(), step.label.empty() ? "" : " (" + step.label + ")"));
    }
    std::vector<bool> wanted;
    for (const int value : step.values) wanted.push_back(value != kUntaped && dependent[value]);
    const Tensors made = step.op.backward({step.inputs, step.y, dy, wanted});
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (!wanted[i] || i >= made.size() || !made[i]) continue;
      assert(made[i].shape() == step.inputs[i].shape());
      add_to(gradient[step.values[i]], made[i]);
    }
  }
  Tensors result;
  for (const Tensor& x : watched) {
    const int value = value_of(x);
    result.push_back(value == kUntaped ? Tensor() : gradient[value]);
  }
  return result;
}

}  // namespace mend
