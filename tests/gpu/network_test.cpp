// Whole networks on the GPU, forward and one training step, against the CPU.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

#include "engine/error.h"
#include "engine/ladder.h"
#include "engine/plan.h"
#include "kernels/conv2d/scale_filters.h"
#include "tests/gpu/on_gpu.h"
#include "tests/gpu/small_runs.h"
#include "tests/support/compare.h"
#include "tests/train/lessons.h"

namespace mend::test {
namespace {

/// Products of tensor cores in TF32 have 10 bits, and a gradient has gone through a network of them.
constexpr double kTf32 = 5e-3;

/// As long as it lives, rungs of a GPU multiply in f32 where they have a choice.
struct ExactProducts {
  ExactProducts() {
    force_variant("conv2d", "cuda_naive");
    force_variant("matmul", "cuda_tiled");
    force_variant("attention", "cuda_split");
    force_variant("window_attention", "cuda_split");
  }
  ~ExactProducts() { clear_forced_variants(); }
  ExactProducts(const ExactProducts&) = delete;
  ExactProducts& operator=(const ExactProducts&) = delete;
};

}  // namespace

TEST_CASE("gpu: a network's plan gives what it gives on the CPU, run after run") {
  for (const Lesson& lesson : lessons()) {
    CAPTURE(lesson.network);
    const TrainableModel model = made(lesson);
    const Network network = [&](const Tensors& given) {
      return model.forward(values_of(model), {given[0]});
    };
    Plan here(network, {lesson.input});
    Plan there(network, {lesson.input}, nullptr, {.device = &gpu(0)});
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
  Plan plan(twice, {{1, 3, 5, 7}}, nullptr, {.device = &gpu(0)});
  const Tensor first = random_tensor({1, 3, 5, 7}, 1), second = random_tensor({1, 3, 5, 7}, 2);
  plan.set_input(0, first);
  plan.set_input(0, second);
  plan.run();
  CHECK(max_error(plan.results(0, 1)[0], second + second) <= 0.0);

  const Network scaled = [](const Tensors& given) {
    return Tensors{mend::apply(op::ScaleFilters{}, {given[0], given[1]})};
  };
  CHECK_THROWS_WITH_AS(Plan(scaled, {{4, 1, 1, 2}, {1, 1, 1, 4}}, nullptr, {.device = &gpu(0)}),
                       doctest::Contains("has no kernel for a GPU yet"), UsageError);
}

TEST_CASE("gpu: networks give what the official implementations give, in f32 and in TF32") {
  int in_f32 = 0, in_tf32 = 0;
  const auto compare = [&](const Model& model, const Tensors& inputs, const Tensors& expected) {
    for (const bool exact : {false, true}) {
      CAPTURE(exact);
      std::optional<ExactProducts> products;
      if (exact) products.emplace();
      const std::unique_ptr<Plan> there =
          plan_on_gpu(model, shapes_of(inputs), {.device = &gpu(0)});
      if (there == nullptr) continue;
      there->poison();
      const Tensors outputs = (*there)(inputs);
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        CHECK(relative_error(outputs[i], expected[i]) <= (exact ? 2e-5 : kTf32));
      }
      ++(exact ? in_f32 : in_tf32);
    }
  };
  if (!for_each_small_fixture(compare)) return;
  CHECK(in_f32 >= 78);
  CHECK(in_tf32 == int{std::size(kSmallFixtures)});
}

TEST_CASE("gpu: a picture in tiles is what it is on the CPU") {
  const Model model = small_denoiser();
  const TileableNetwork network{.network = model.forward};
  const Tensor x = random_tensor({1, 37, 29, 3}, 1);
  CHECK(relative_error(tiled(network, x, gpu(0)), tiled(network, x, cpu())) < kTf32);
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
    Tensors on_gpu;
    for (const Tensor& parameter : parameters) on_gpu.push_back(to_gpu(parameter));
    for (int run = 0; run < 2; ++run) {
      const double loss = here.run(parameters, x, target);
      CHECK(there.run(on_gpu, x, target) == doctest::Approx(loss).epsilon(1e-3));
    }
    CHECK(relative_error(to_host(there.picture()), here.picture()) < kTf32);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      CAPTURE(model.parameters()[i].key);
      // A sign of l1, or a side of a ReLU, may differ where the numbers are next to nothing.
      CHECK(relative_error(to_host(there.gradients()[i]), here.gradients()[i]) < 10 * kTf32);
    }
  }
}

}  // namespace mend::test
