// What a training step does to its parameters: the same bits on the GPU as on the CPU.
#include "kernels/parameter_update/parameter_update.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "engine/error.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/guarded.h"
#include "train/optimizers.h"
#include "train/training_state.h"
#include "train/training_step.h"

namespace mend::test {
namespace {

/// One number, whole pieces, more than a piece, less, and one that ends within a block's threads.
const Shape kShapes[] = {
    {1, 1, 1, 1}, {16, 4, 4, 16}, {64, 3, 3, 37}, {1, 1, 1, 64}, {1, 1, 3, 777}};

/// Random numbers of these shapes; of many sizes, so that double rounding would show.
Tensors random_tensors(std::uint64_t seed, float factor = 1) {
  Tensors tensors;
  for (const Shape& shape : kShapes) {
    const Tensor tensor = random_tensor(shape, seed + tensors.size());
    float* numbers = tensor.view<float>().data;
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      numbers[i] *= factor * static_cast<float>(1 + i % 1000 * (i % 7));
    }
    tensors.push_back(tensor);
  }
  return tensors;
}

Tensors on_gpu(const Tensors& host) {
  Tensors there;
  for (const Tensor& tensor : host) there.push_back(to_gpu(tensor));
  return there;
}

void check_identical(const Tensors& there, const Tensors& here) {
  REQUIRE(there.size() == here.size());
  for (std::size_t i = 0; i < here.size(); ++i) {
    CAPTURE(i);
    REQUIRE(&there[i].device() == &gpu(0));
    CHECK(identical(to_host(there[i]), here[i]));
  }
}

using Make = std::function<std::unique_ptr<Optimizer>(Tensors parameters)>;

template <class Kind, class Options>
Make with(const Options& options) {
  return [=](Tensors parameters) { return std::make_unique<Kind>(std::move(parameters), options); };
}

const Make kAll[] = {
    with<Sgd>(SgdOptions{1e-2, 0.9, 1e-2}),
    with<Adam>(AdamOptions{.weight_decay = 1e-2}),
    with<Adam>(AdamOptions{.weight_decay = 1e-2, .decay = WeightDecay::kDecoupled}),
    with<Lion>(LionOptions{.weight_decay = 1e-2}),
};

}  // namespace

TEST_CASE("gpu: an optimizer's steps have the bits of the CPU's") {
  for (const Make& make : kAll) {
    const Tensors here = random_tensors(1), there = on_gpu(here);
    const auto at_home = make(here), abroad = make(there);
    for (std::uint64_t step = 0; step < 4; ++step) {
      Tensors gradients = random_tensors(100 * step + 10, 0.01f);
      if (step == 1) gradients[2] = Tensor();  // from then on it has taken a step less
      const double norm = at_home->norm(gradients);
      CHECK(abroad->norm(on_gpu(gradients)) == norm);
      const double clipped = step == 2 ? 0.3 / norm : 1;
      at_home->step(gradients, norm, clipped);
      abroad->step(on_gpu(gradients), norm, clipped);
      check_identical(there, here);
    }
    const Optimizer::State state = abroad->state();
    check_identical(state.memory, at_home->state().memory);
    CHECK(state.steps == at_home->state().steps);
    CHECK(state.steps[2] + 1 == state.steps[0]);

    // What one has learnt, the other goes on with.
    const Tensors later = on_gpu(here), gradients = random_tensors(7);
    const auto resumed = make(later);
    resumed->restore(at_home->state());
    resumed->step(on_gpu(gradients));
    at_home->step(gradients);
    check_identical(later, here);
  }
}

TEST_CASE("gpu: gradients that lie apart are taken too") {
  const Tensor parameter = random_tensor({3, 2, 2, 9}, 1),
               gradient = random_tensor({3, 2, 2, 9}, 2);
  const Tensor there = to_gpu(parameter);
  const GuardedOnGpu slice(gradient, DType::kF32, {3, 2});
  Adam({there}, {}).step(std::vector{slice.tensor()});
  Adam({parameter}, {}).step(std::vector{gradient});
  CHECK(identical(to_host(there), parameter));
}

TEST_CASE("gpu: a gradient that is not finite changes nothing, and is named") {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const Make& make : kAll) {
      const Tensors here = random_tensors(1);
      Tensors there = on_gpu(here);
      there[2] = there[2].named("body.0.weight");
      const auto optimizer = make(there);
      const Tensors gradients = random_tensors(2);
      gradients[2].view<float>()(63, 2, 2, 36) = bad;
      CHECK_THROWS_WITH_AS(optimizer->step(on_gpu(gradients)),
                           doctest::Contains("the gradient of body.0.weight is not finite"),
                           NumericError);
      check_identical(there, here);
      CHECK(optimizer->state().steps[0] == 0);
    }
  }
}

TEST_CASE("gpu: an optimizer refuses gradients that lie elsewhere") {
  const Tensor parameter = to_gpu(random_tensor({1, 1, 1, 4}, 1));
  Sgd optimizer({parameter}, {});
  CHECK_THROWS_WITH_AS(optimizer.step(std::vector{random_tensor({1, 1, 1, 4}, 2)}),
                       "sgd: needs gradients on the parameters' device", UsageError);
  CHECK_THROWS_WITH_AS(Sgd({parameter, random_tensor({1, 1, 1, 4}, 2)}, {}),
                       "sgd: needs all parameters on one device", UsageError);
}

TEST_CASE("gpu: means of gradients and moving averages have the bits of the CPU's") {
  const Tensors here = random_tensors(1), there = on_gpu(here);
  AccumulatedGradient at_home(3), abroad(3);
  TensorPieces home_pieces, pieces;
  for (std::uint64_t step = 0; step < 2; ++step) {  // the second begins anew
    for (std::uint64_t batch = 0; batch < 3; ++batch) {
      Tensors gradients = random_tensors(100 * step + 10 * batch + 20);
      gradients[1] = Tensor();
      at_home.add(gradients);
      gradients = random_tensors(100 * step + 10 * batch + 20);
      gradients[1] = Tensor();
      abroad.add(on_gpu(gradients));
    }
    const Tensors mean = at_home.mean(), there_mean = abroad.mean();
    CHECK_FALSE(there_mean[1].defined());
    for (const std::size_t i : {0, 2, 3, 4}) CHECK(identical(to_host(there_mean[i]), mean[i]));
    const Tensors values = random_tensors(50 + step);
    move_averages(here, values, 0.97, home_pieces);
    move_averages(there, on_gpu(values), 0.97, pieces);
    check_identical(there, here);
  }
}

}  // namespace mend::test
