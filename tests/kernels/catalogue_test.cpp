// What reports say of rungs, against what runs.
#include "kernels/catalogue.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/plan.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/variant.h"

namespace mend::test {
namespace {

std::string_view chosen_of(const std::vector<ConsideredRung>& rungs) {
  std::string_view name;
  for (const ConsideredRung& rung : rungs) {
    if (!rung.chosen) continue;
    CHECK_MESSAGE(name.empty(), "two rungs run: " << name << " and " << rung.name);
    name = rung.name;
  }
  return name;
}

op::Conv2d conv_3x3(int outputs) {
  op::Conv2d conv;
  conv.kernel_h = conv.kernel_w = 3;
  conv.padding_h = conv.padding_w = 1;
  conv.outputs = outputs;
  return conv;
}

}  // namespace

TEST_CASE("considered rungs: one runs, and those that refuse say why") {
  const Shapes in = {{1, 40, 40, 16}, {16, 3, 3, 16}};
  const std::vector<ConsideredRung> rungs = considered_rungs(conv_3x3(16), in);
  const auto on_cpu = [](const Conv2dVariant& rung) { return rung.device == DeviceKind::kCpu; };
  CHECK(rungs.size() == std::ranges::count_if(conv2d_ladder(), on_cpu));
  CHECK(chosen_of(rungs) == "conv2d/direct");
  for (const ConsideredRung& rung : rungs) {
    CAPTURE(rung.name);
    CHECK(rung.refusal.empty() == (rung.seconds > 0));
    if (rung.name == "conv2d/winograd4") CHECK(rung.refusal == "needs 32 input channels");
  }
}

TEST_CASE("considered rungs: a lowered step's are those that it was lowered from") {
  const Tensor weight = Tensor::full({64, 3, 3, 64}, 0.01f);
  const op::Conv2d conv = conv_3x3(64);
  const Plan plan(
      [&](const std::vector<Tensor>& x) {
        return std::vector{apply(conv, {x[0], weight})};
      },
      {{1, 20, 30, 64}});
  const Step& step = plan.graph().steps.back();
  const auto* lowered = step.op.as<op::Conv2d>();
  REQUIRE(lowered != nullptr);
  REQUIRE(lowered->variant != nullptr);
  const auto before = considered_rungs(conv, {{1, 20, 30, 64}, weight.shape()});
  const auto after = considered_rungs(step.op, plan.graph().shapes(step.inputs));
  REQUIRE(before.size() == after.size());
  CHECK(chosen_of(after) == lowered->variant->name);
  CHECK(chosen_of(before) == lowered->variant->name);
  for (std::size_t i = 0; i < before.size(); ++i) {
    CAPTURE(before[i].name);
    CHECK(before[i].seconds == after[i].seconds);
    CHECK(before[i].refusal == after[i].refusal);
  }
}

TEST_CASE("considered rungs: a forced rung is the one that runs") {
  force_variant("conv2d", "reference");
  const auto rungs = considered_rungs(conv_3x3(64), {{1, 20, 30, 64}, {64, 3, 3, 64}});
  clear_forced_variants();
  CHECK(chosen_of(rungs) == "conv2d/reference");
}

TEST_CASE("considered rungs: every ladder is asked by the name of its operation") {
  for (const LadderSummary& ladder : all_ladders()) {
    CAPTURE(ladder.op);
    CHECK(!ladder.rungs.empty());
    CHECK(ladder.consider);
  }
  op::PackConv2dWeight pack{conv_3x3(8)};
  CHECK(considered_rungs(pack, {{8, 3, 3, 8}}).empty());  // it has no ladder
}

}  // namespace mend::test
