#include "train/optimizers.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include "engine/error.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

using Json = nlohmann::json;
using Make = std::function<std::unique_ptr<Optimizer>(std::vector<Tensor> parameters)>;

Make sgd(const SgdOptions& options) {
  return [=](std::vector<Tensor> parameters) {
    return std::make_unique<Sgd>(std::move(parameters), options);
  };
}
Make adam(const AdamOptions& options) {
  return [=](std::vector<Tensor> parameters) {
    return std::make_unique<Adam>(std::move(parameters), options);
  };
}

Make lion(const LionOptions& options) {
  return [=](std::vector<Tensor> parameters) {
    return std::make_unique<Lion>(std::move(parameters), options);
  };
}

/// The optimizer of a fixture, with the defaults of PyTorch for what it does not say.
Make of_fixture(const std::string& name, const Json& params) {
  const double rate = params.at("lr"), decay = params.value("weight_decay", 0.0);
  if (name == "sgd_momentum") return sgd({rate, params.at("momentum"), decay});
  return adam({rate, params.at("betas")[0], params.at("betas")[1], params.value("eps", 1e-8), decay,
               name == "adamw" ? WeightDecay::kDecoupled : WeightDecay::kInGradient});
}

const Make kAll[] = {sgd({1e-2, 0.9, 1e-2}), adam({.weight_decay = 1e-2}),
                     adam({.weight_decay = 1e-2, .decay = WeightDecay::kDecoupled}),
                     lion({.weight_decay = 1e-2})};

}  // namespace

TEST_CASE("optimizers: every step equals the official implementation") {
  for (const std::string name : {"sgd_momentum", "adam", "adam_wd", "adamw"}) {
    CAPTURE(name);
    const std::string path = shared_path("goldens/ops/optimizer__" + name + ".safetensors");
    if (!require_data(path)) return;
    const Golden golden = load_golden(path);
    const Tensor parameter = golden.at("input").clone();
    const auto optimizer = of_fixture(name, Json::parse(golden.metadata.at("params")))({parameter});
    for (int step = 0; step < 5; ++step) {
      CAPTURE(step);
      optimizer->step(std::vector{golden.at("grad_step" + std::to_string(step))});
      const Tensor& expected = golden.at("param_after_step" + std::to_string(step));
      CHECK(max_error(parameter, expected) <= 5e-7);
      CHECK_FALSE(identical(parameter, golden.at("input")));
    }
    CHECK(max_error(parameter, golden.at("output")) <= 5e-7);
  }
}

TEST_CASE("optimizers: a step has the same bits for any number of threads, also from slices") {
  const Shape shapes[] = {{64, 3, 3, 37}, {1, 1, 1, 1}, {1, 1, 9, 2000}, {1, 1, 1, 64}};
  for (const Make& make : kAll) {
    std::vector<Tensor> first;
    on_one_and_two_threads([&](int) {
      for (const bool slices : {false, true}) {
        std::vector<Tensor> parameters;
        for (const Shape& shape : shapes) parameters.push_back(random_tensor(shape, 1));
        const auto optimizer = make(parameters);
        for (std::uint64_t step = 2; step < 5; ++step) {
          std::vector<Tensor> gradients;
          for (const Shape& shape : shapes) {
            const Tensor gradient = random_tensor(shape, step);
            gradients.push_back(slices ? Guarded(gradient).tensor() : gradient);
          }
          optimizer->step(gradients);
        }
        if (first.empty()) first = parameters;
        for (std::size_t i = 0; i < parameters.size(); ++i) {
          CHECK(identical(parameters[i], first[i]));
          CHECK_FALSE(identical(parameters[i], random_tensor(shapes[i], 1)));
        }
      }
    });
  }
}

TEST_CASE("adam: the first step is the learning rate in the gradient's direction, of any size") {
  const Tensor parameter = Tensor::zeros(vector_shape(3));
  Adam optimizer({parameter}, {.learning_rate = 0.125});
  optimizer.step(std::vector{Tensor::from(vector_shape(3), std::vector<float>{1e3f, -1e-3f, 0})});
  CHECK(max_error(parameter,
                  Tensor::from(vector_shape(3), std::vector<float>{-0.125f, 0.125f, 0})) <= 2e-6);
}

TEST_CASE("optimizers: a parameter without a gradient stays, and counts no step") {
  const Tensor gradient = random_tensor(vector_shape(9), 1);
  for (const Make& make : kAll) {
    const Tensor late = random_tensor(vector_shape(9), 2), alone = late.clone();
    const Tensor other = random_tensor(vector_shape(9), 3);
    const auto both = make({late, other});
    both->step(std::vector{Tensor(), gradient});
    CHECK(identical(late, alone));
    both->step(std::vector{gradient, gradient});
    make({alone})->step(std::vector{gradient});
    CHECK(identical(late, alone));
  }
}

TEST_CASE("optimizers: a new learning rate acts at once") {
  for (const Make& make : kAll) {
    const Tensor parameter = random_tensor(vector_shape(9), 4), before = parameter.clone();
    const auto optimizer = make({parameter});
    optimizer->set_learning_rate(0);
    optimizer->step(std::vector{random_tensor(vector_shape(9), 5)});
    CHECK(identical(parameter, before));
    optimizer->set_learning_rate(0.5);
    CHECK(optimizer->learning_rate() == 0.5);
    optimizer->step(std::vector{random_tensor(vector_shape(9), 6)});
    CHECK_FALSE(identical(parameter, before));
  }
}

TEST_CASE("optimizers: a gradient that is not finite is refused before anything changes") {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const Make& make : kAll) {
      const Tensor a = random_tensor(vector_shape(5), 7), b = random_tensor({1, 1, 3, 9000}, 8);
      const Tensor a_before = a.clone(), b_before = b.clone();
      const auto optimizer = make({a, b.named("body.0.weight")});
      const Tensor gradient = random_tensor(b.shape(), 9);
      gradient.view<float>()(0, 0, 2, 8999) = bad;
      const std::vector<Tensor> gradients{a_before, gradient};
      try {
        optimizer->step(gradients);
        FAIL("the gradient was accepted");
      } catch (const NumericError& error) {
        CHECK(std::string(error.what()).find("the gradient of body.0.weight is not finite") !=
              std::string::npos);
      }
      CHECK(identical(a, a_before));
      CHECK(identical(b, b_before));
      // Nor was it counted: the next step is a first one.
      gradient.view<float>()(0, 0, 2, 8999) = 1;
      optimizer->step(gradients);
      make({a_before})->step(std::vector{a_before.clone()});
      CHECK(identical(a, a_before));
    }
  }
}

TEST_CASE("optimizers: what does not fit is refused with both sides") {
  const Tensor parameter = Tensor::zeros({4, 3, 3, 2}).named("conv.weight");
  Sgd optimizer({parameter}, {});
  CHECK_THROWS_WITH_AS(optimizer.step(std::vector{Tensor::zeros({4, 3, 3, 1})}),
                       "sgd: conv.weight is [4,3,3,2], but its gradient [4,3,3,1]", ShapeError);
  CHECK_THROWS_WITH_AS(optimizer.step({}), "sgd: 0 gradients for 1 parameters", ShapeError);
  CHECK_THROWS_WITH_AS(
      Adam({parameter, Tensor::zeros({1, 1, 2, 8}).channels(1, 4)}, {}),
      "adam: parameter 1 [1,1,2,4] is not a whole f32 tensor, which alone can be trained",
      ShapeError);
  CHECK_THROWS_AS(Sgd({Tensor()}, {}), ShapeError);
  CHECK_THROWS_WITH_AS(Sgd({}, {.momentum = 1}), "sgd: needs a momentum in [0,1)", UsageError);
  CHECK_THROWS_WITH_AS(Adam({}, {.learning_rate = -1}), "adam: needs a learning rate of 0 or more",
                       UsageError);
  CHECK_THROWS_WITH_AS(Adam({}, {.beta2 = 1, .decay = WeightDecay::kDecoupled}),
                       "adamw: needs beta1 and beta2 in [0,1)", UsageError);
  CHECK_THROWS_WITH_AS(Adam({}, {.eps = 0}), "adam: needs an eps above 0", UsageError);
  CHECK_THROWS_WITH_AS(Adam({}, {.weight_decay = std::nan("")}),
                       "adam: needs a weight decay of 0 or more", UsageError);
  CHECK_THROWS_AS(optimizer.set_learning_rate(std::nan("")), UsageError);
}

TEST_CASE("lion: steps follow algorithm 2 of its paper") {
  const Tensor parameter = Tensor::zeros({1, 1, 1, 3});
  const double start[] = {1, -2, 0.5}, gradients[][3] = {{0.3, -0.1, 0}, {-0.9, 0.4, 0.2}};
  double theta[3], m[3] = {};
  for (int i = 0; i < 3; ++i)
    parameter.view<float>().data[i] = static_cast<float>(theta[i] = start[i]);
  Lion optimizer({parameter}, {.learning_rate = 0.01, .weight_decay = 0.1});
  for (const auto& g : gradients) {
    const Tensor gradient = Tensor::zeros({1, 1, 1, 3});
    for (int i = 0; i < 3; ++i) gradient.view<float>().data[i] = static_cast<float>(g[i]);
    optimizer.step(std::vector{gradient});
    for (int i = 0; i < 3; ++i) {
      const double c = 0.9 * m[i] + 0.1 * g[i];
      theta[i] -= 0.01 * ((c > 0) - (c < 0) + 0.1 * theta[i]);
      m[i] = 0.99 * m[i] + 0.01 * g[i];
      CHECK(parameter.view<float>().data[i] == doctest::Approx(theta[i]).epsilon(1e-6));
    }
  }
}

TEST_CASE("optimizers: with its state restored a step has the same bits") {
  for (const Make& make : kAll) {
    const Tensor first = random_tensor({1, 1, 1, 50}, 1), second = first.clone();
    const auto one = make({first});
    const auto gradient = [](std::uint64_t step) {
      return std::vector{random_tensor({1, 1, 1, 50}, 10 + step)};
    };
    for (std::uint64_t step = 0; step < 3; ++step) one->step(gradient(step));
    std::copy_n(first.view<const float>().data, 50, second.view<float>().data);
    const auto other = make({second});
    other->restore(one->state());
    one->step(gradient(3));
    other->step(gradient(3));
    CHECK(identical(first, second));
    CHECK_THROWS_AS(make({Tensor::zeros({1, 1, 1, 4})})->restore(one->state()), ShapeError);
  }
}

}  // namespace mend::test
