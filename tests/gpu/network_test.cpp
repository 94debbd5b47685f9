// Whole networks on the GPU, forward and one training step, against the CPU.
#include <doctest/doctest.h>

#include "engine/error.h"
#include "engine/ladder.h"
#include "engine/plan.h"
#include "layers/functions.h"
#include "models/registry.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "train/initialize.h"
#include "train/training_step.h"

namespace mend::test {
namespace {

struct Lesson {
  const char* network;
  Json hyperparameters;
  Shape input;
  int scale;
  const char* loss;
};

const Json kSrvgg = {{"num_in_ch", 3}, {"num_out_ch", 3}, {"num_feat", 12},
                     {"num_conv", 3},  {"upscale", 2},    {"act_type", "prelu"}};
const Json kDrunet = {{"in_nc", 3},
                      {"out_nc", 3},
                      {"nc", {8, 12, 16, 16}},
                      {"nb", 1},
                      {"bias", false},
                      {"act_mode", "R"},
                      {"downsample_mode", "strideconv"},
                      {"upsample_mode", "convtranspose"}};

std::vector<Lesson> lessons() {
  return {
      {"srvgg", kSrvgg, {2, 11, 9, 3}, 2, "l1"},
      {"dncnn",
       {{"in_nc", 3}, {"out_nc", 3}, {"nc", 8}, {"nb", 4}, {"act_mode", "R"}},
       {2, 9, 13, 3},
       1,
       "mse"},
      {"drunet", kDrunet, {2, 16, 24, 3}, 1, "charbonnier"},
  };
}

TrainableModel made(const Lesson& lesson) {
  return TrainableModel(
      initial_checkpoint(architecture_named(lesson.network), lesson.hyperparameters, 1));
}

/// Products of tensor cores in TF32 have 10 bits, and a gradient has gone through a network of them.
constexpr double kTf32 = 5e-3;

}  // namespace

TEST_CASE("gpu: a network's plan gives what it gives on the CPU, run after run") {
  for (const Lesson& lesson : lessons()) {
    CAPTURE(lesson.network);
    const TrainableModel model = made(lesson);
    const Network network = [&](const Tensors& given) {
      return model.forward(values_of(model), {given[0]});
    };
    Plan here(network, {lesson.input});
    Plan there(network, {lesson.input}, nullptr, nullptr, LateReads::kKept, gpu(0));
    there.poison();
    for (const std::uint32_t seed : {1u, 2u}) {
      const Tensor x = random_tensor(lesson.input, seed);
      const Tensor expected = here({x})[0];
      CHECK(relative_error(there({x})[0], expected) < kTf32);
    }
  }
}

TEST_CASE("gpu: a plan keeps the last of two inputs, and refuses what has no kernel") {
  const Network twice = [](const Tensors& given) { return Tensors{given[0] + given[0]}; };
  Plan plan(twice, {{1, 3, 5, 7}}, nullptr, nullptr, LateReads::kKept, gpu(0));
  const Tensor first = random_tensor({1, 3, 5, 7}, 1), second = random_tensor({1, 3, 5, 7}, 2);
  plan.set_input(0, first);
  plan.set_input(0, second);
  plan.run();
  CHECK(max_error(plan.results(0, 1)[0], second + second) <= 0.0);

  const Network sorted = [](const Tensors& given) {
    return Tensors{real_fft2(given[0], FftNorm::kBackward)};
  };
  CHECK_THROWS_WITH_AS(Plan(sorted, {{1, 4, 4, 2}}, nullptr, nullptr, LateReads::kKept, gpu(0)),
                       doctest::Contains("has no kernel for a GPU yet"), UsageError);
}

TEST_CASE("gpu: a training step has the loss and the gradients of the CPU's") {
  for (const Lesson& lesson : lessons()) {
    CAPTURE(lesson.network);
    const TrainableModel model = made(lesson);
    const Shape& in = lesson.input;
    const Tensor x = random_tensor(in, 1);
    const Tensor target = random_tensor({in.n, in.h * lesson.scale, in.w * lesson.scale, 3}, 2);
    const Objective objective = make_objective(lesson.loss, "test");
    TrainingStep here(model, in, target.shape(), objective);
    TrainingStep there(model, in, target.shape(), objective, {}, LateReads::kKept, gpu(0));
    const Tensors parameters = values_of(model);
    for (int run = 0; run < 2; ++run) {
      const double loss = here.run(parameters, x, target);
      CHECK(there.run(parameters, x, target) == doctest::Approx(loss).epsilon(1e-3));
    }
    CHECK(relative_error(there.picture(), here.picture()) < kTf32);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      CAPTURE(model.parameters()[i].key);
      // A sign of l1, or a side of a ReLU, may differ where the numbers are next to nothing.
      CHECK(relative_error(there.gradients()[i], here.gradients()[i]) < 10 * kTf32);
    }
  }
}

}  // namespace mend::test
