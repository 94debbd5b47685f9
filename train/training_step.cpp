#include "train/training_step.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "engine/error.h"
#include "kernels/convert/convert.h"
#include "kernels/gradient_tape.h"
#include "kernels/parameter_update/parameter_update.h"
#include "train/loss_steps.h"
#include "train/pairs.h"

namespace mend {
namespace {

/// One of the network's outputs, and the terms that look at it.
struct JudgedOutput {
  std::size_t index;  // in traits.outputs
  Objective terms;
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

Shapes shapes_of(const TrainableModel& model, const Shape& input, const Shape& target,
                 const std::vector<Critic>& critics) {
  Shapes shapes{input, target};
  for (const Parameter& parameter : model.parameters()) shapes.push_back(parameter.tensor.shape());
  for (const Critic& critic : critics) {
    for (const Shape& shape : critic.parameters) shapes.push_back(shape);
  }
  return shapes;
}

/// All but a batch's input and target.
std::vector<bool> lent_of(const Shapes& shapes) {
  std::vector<bool> lent(shapes.size(), true);
  lent[0] = lent[1] = false;
  return lent;
}

/// Undefined numbers, if there is a gradient.
Tensor place_like(const Tensor& gradient) {
  if (!gradient) return {};
  return Tensor::empty(gradient.shape(), gradient.dtype(), gradient.device());
}

/// What the loss is of, where its gradient starts, and its values.
struct Judgement {
  bool in_16_bits = false;  ///< whether the plan keeps images in 16 bits
  Tensors ends, cotangents, values;

  /// As losses see it.
  Tensor seen(const Tensor& x) const {
    return in_16_bits ? apply(op::AsF32{}, {x.taped(nullptr)}) : x.taped(nullptr);
  }
  void add(const Tensor& x, const Objective& terms, const Tensor& target, const Tensor& input) {
    const Tensors compared{seen(x), target, input};
    ends.push_back(x);
    const LossSteps steps = loss_steps(terms, compared);
    cotangents.push_back(steps.gradient);
    values.push_back(steps.value);
  }
  void add(const Tensor& x, const LossTerm& term, const Tensor& target) {
    const bool compares = term.other == LossTerm::Other::kTarget;
    add(x, {term}, compares ? seen(target) : x.taped(nullptr), x.taped(nullptr));
  }
};

/// The terms of a critic, on the picture as it was made.
void add_critic(Judgement& judgement, const Critic& critic, const Tensors& parameters,
                const Tensor& picture, const Tensor& target) {
  const bool compares =
      std::any_of(critic.terms.begin(), critic.terms.end(),
                  [](const LossTerm& term) { return term.other == LossTerm::Other::kTarget; });
  const Tensors made = critic.features(parameters, picture);
  const Tensors wanted = compares ? critic.features(parameters, target) : Tensors(made.size());
  for (std::size_t i = 0; i < made.size(); ++i) {
    judgement.add(made[i], critic.terms[i], wanted[i]);
  }
}

/// [input, target, parameters..., those of the critics...] -> [picture, values..., gradients...], of
/// these those that there are.
Network step_of(const TrainableModel& model, const std::vector<JudgedOutput>& judged,
                const std::vector<Critic>& critics, bool in_16_bits, std::size_t& values,
                std::vector<bool>& has_gradient) {
  return [&](const Tensors& given) {
    const auto tape = make_gradient_tape();
    const auto first = given.begin() + 2;
    auto next = first + static_cast<std::ptrdiff_t>(model.parameters().size());
    Tensors watched;
    for (auto parameter = first; parameter != next; ++parameter) {
      watched.push_back(tape->watch(*parameter));
    }
    const Tensors outputs = model.forward(watched, network_inputs(model.traits(), given[0]));
    Judgement judgement;
    judgement.in_16_bits = in_16_bits;
    for (const auto& [index, terms] : judged) {
      judgement.add(outputs[index], terms, given[1], given[0]);
    }
    for (const Critic& critic : critics) {
      const auto begin = next;
      next += static_cast<std::ptrdiff_t>(critic.parameters.size());
      add_critic(judgement, critic, {begin, next}, outputs[0], given[1]);
    }
    Tensors made{outputs[0].taped(nullptr)};
    made.insert(made.end(), judgement.values.begin(), judgement.values.end());
    values = judgement.values.size();
    has_gradient.clear();
    for (const Tensor& gradient : tape->gradients(judgement.ends, judgement.cotangents, watched)) {
      has_gradient.push_back(gradient.defined());
      if (gradient) made.push_back(gradient);
    }
    return made;
  };
}

}  // namespace

TrainingStep::TrainingStep(const TrainableModel& model, const Shape& input, const Shape& target,
                           const Objective& objective, const std::vector<Critic>& critics,
                           LateReads late_reads, Device& device, bool records,
                           const std::optional<NarrowImages>& narrow)
    : plan_(step_of(model, judged_outputs(model, objective), critics, narrow.has_value(), values_,
                    has_gradient_),
            shapes_of(model, input, target, critics), nullptr,
            {.late_reads = late_reads,
             .device = &device,
             .narrow = narrow,
             .lent = lent_of(shapes_of(model, input, target, critics)),
             .records = records}) {
  find_final_steps();
}

void TrainingStep::find_final_steps() {
  const Graph& graph = plan_.graph();
  const std::vector<int> producers = graph.producers();
  std::vector<std::pair<int, std::size_t>> steps;  // and the gradient that each makes
  std::size_t output = values_ + 1;
  for (std::size_t i = 0; i < has_gradient_.size(); ++i) {
    if (has_gradient_[i]) steps.emplace_back(producers[graph.outputs[output++]], i);
  }
  std::sort(steps.begin(), steps.end());
  for (const auto& [step, gradient] : steps) {
    final_steps_.push_back(step);
    final_order_.push_back(gradient);
  }
}

void TrainingStep::start(const Tensors& parameters, const Tensor& input, const Tensor& target,
                         const Tensors& critic_parameters, const Progress& progress) {
  int slot = 2;
  for (const Tensors* tensors : {&parameters, &critic_parameters}) {
    for (const Tensor& tensor : *tensors) plan_.lend_input(slot++, tensor);
  }
  plan_.set_input(0, input);
  plan_.set_input(1, target);
  if (gradients_.empty()) take_gradients();
  plan_.run([&](int done, int) {
    if (!progress) return;
    const auto end = std::lower_bound(final_steps_.begin(), final_steps_.end(), done);
    progress(static_cast<std::size_t>(end - final_steps_.begin()));
  });
  plan_.results_later(1, static_cast<int>(values_) + 1, losses_);
}

double TrainingStep::loss() {
  plan_.wait();
  double loss = 0;
  for (const Tensor& value : losses_) loss += double{value.view<const float>()(0, 0, 0, 0)};
  return loss;
}

void TrainingStep::take_gradients() {
  int next = static_cast<int>(values_) + 1;
  for (const bool there : has_gradient_) {
    gradients_.push_back(there ? plan_.output(next++) : Tensor());
  }
}

void AccumulatedGradient::add(const Tensors& gradients) {
  const bool is_first = added_++ == 0;
  if (count_ == 1) {
    sums_ = gradients;
    return;
  }
  if (sums_.empty()) {
    for (const Tensor& gradient : gradients) sums_.push_back(place_like(gradient));
  }
  Device* device = &cpu();
  rows_.clear();
  dense_.clear();
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i]) continue;
    dense_.push_back(gradients[i].dense() ? gradients[i] : gradients[i].clone());
    rows_.push_back({sums_[i], dense_.back()});
    device = &sums_[i].device();
  }
  pieces_.assign(*device, rows_);
  for_each_number(is_first ? NumberRule(CopyRule{}) : AddRule{}, pieces_.all());
}

const Tensors& AccumulatedGradient::mean() {
  if (added_ > 1) for_each_number(ScaleRule{1.0 / added_}, pieces_.all());
  added_ = 0;
  return sums_;
}

}  // namespace mend
