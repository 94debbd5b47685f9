#include "train/objective.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "engine/error.h"
#include "models/registry.h"
#include "tests/support/guarded.h"
#include "tests/support/thrown.h"
#include "train/initialize.h"
#include "train/recipe.h"
#include "train/training_step.h"

namespace mend::test {
namespace {

TrainableModel model_of(const std::string& name, const Json& hyperparameters) {
  for (const Architecture& row : architectures()) {
    if (row.name == name) return TrainableModel(initial_checkpoint(row, hyperparameters, 1));
  }
  throw UsageError(name);
}

TrainableModel small_zero_dce() {
  return model_of("zero_dce", {{"number_f", 4}, {"iterations", 8}});
}

/// Σ of the objective over the eager outputs, and what flows back into each of them.
struct Judged {
  double value = 0;
  Tensors cotangents;
};

void add(Judged& judged, std::size_t output, double weight, const Loss& loss) {
  judged.value += weight * loss.value;
  Tensor& sum = judged.cotangents[output];
  if (!sum) sum = Tensor::zeros(loss.gradient.shape());
  for (int i = 0; i < sum.shape().elements(); ++i) {
    sum.view<float>().data[i] +=
        static_cast<float>(weight * loss.gradient.view<const float>().data[i]);
  }
}

void check_step(const TrainableModel& model, const Json& loss, const Tensor& x,
                const Tensor& target,
                const std::function<void(Judged&, const Tensors& outputs)>& judge) {
  const Tensors parameters = values_of(model);
  TrainingStep step(model, x.shape(), target.shape(), make_objective(loss, "test"));
  const double value = step.run(parameters, x, target);
  const Tensors outputs = model.forward(parameters, {x});
  Judged judged{0, Tensors(outputs.size())};
  judge(judged, outputs);
  CHECK(value == doctest::Approx(judged.value).epsilon(1e-5));
  const NetworkGradients eager = gradients_of(model, parameters, {x}, judged.cotangents);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CAPTURE(model.parameters()[i].key);
    CHECK(relative_error(step.gradients()[i], eager.parameters[i]) <= 1e-4);
  }
}

std::string refused(const char* loss) {
  return thrown<UsageError>([&] {
    parse_recipe(std::string(R"({"network": {"name": "srvgg"}, "loss": )") + loss + "}", "my.json");
  });
}

}  // namespace

TEST_CASE("objectives: a step by zero_dce looks at the input, the result and the curves") {
  const Tensor x = random_tensor({2, 33, 35, 3}, 1), target = random_tensor({2, 33, 35, 3}, 2);
  check_step(small_zero_dce(), "zero_dce", x, target, [&](Judged& judged, const Tensors& outputs) {
    add(judged, 0, 1, spatial_consistency_loss(outputs[0], x));
    add(judged, 0, 10, exposure_loss(outputs[0]));
    add(judged, 0, 5, colour_constancy_loss(outputs[0]));
    add(judged, 2, 200, illumination_smoothness_loss(outputs[2]));
  });
}

TEST_CASE("objectives: a weighted sum is the sum of its losses, with their parameters") {
  const Tensor x = random_tensor({2, 16, 12, 3}, 3), target = random_tensor({2, 16, 12, 3}, 4);
  const Json loss = Json::parse(R"({
    "l1": 1, "mse": 0.5, "fft_l1": 0.05, "ssim": 0.1, "psnr": 0.01, "total_variation": 0.2,
    "smooth_l1": {"weight": 2, "beta": 0.5}, "charbonnier": {"eps": 0.1},
    "exposure": {"weight": 3, "level": 0.3, "region": 5}, "spatial_consistency": {"region": 2}})");
  check_step(small_zero_dce(), loss, x, target, [&](Judged& judged, const Tensors& outputs) {
    const Tensor& y = outputs[0];
    add(judged, 0, 1, l1_loss(y, target));
    add(judged, 0, 0.5, mse_loss(y, target));
    add(judged, 0, 0.05, fft_l1_loss(y, target));
    add(judged, 0, 0.1, ssim_loss(y, target));
    add(judged, 0, 0.01, psnr_loss(y, target));
    add(judged, 0, 0.2, total_variation_loss(y));
    add(judged, 0, 2, smooth_l1_loss(y, target, 0.5));
    add(judged, 0, 1, charbonnier_loss(y, target, 0.1));
    add(judged, 0, 3, exposure_loss(y, 0.3, 5));
    add(judged, 0, 1, spatial_consistency_loss(y, x, 2));
  });
}

TEST_CASE("objectives: a network without what a loss looks at is refused") {
  const Json hyper = {{"num_in_ch", 3}, {"num_out_ch", 3}, {"num_feat", 4},
                      {"num_conv", 1},  {"upscale", 2},    {"act_type", "prelu"}};
  const TrainableModel model = model_of("srvgg", hyper);
  const Shape x{1, 16, 16, 3}, target{1, 32, 32, 3};
  const auto make = [&](const char* loss, const Shape& wanted) {
    TrainingStep(model, x, wanted, make_objective(loss, "test"));
  };
  CHECK_NOTHROW(make("l1", target));
  CHECK_NOTHROW(make("exposure", {1, 1, 1, 3}));  // needs no target
  CHECK(thrown<ShapeError>([&] { make("l1", x); }).find("l1 compares") != std::string::npos);
  CHECK(thrown<ShapeError>([&] {
          make("spatial_consistency", target);
        }).find("[1,32,32,3], with its input, [1,16,16,3]") != std::string::npos);
  CHECK(thrown<UsageError>([&] { make("zero_dce", target); }).find("the output 'r'") !=
        std::string::npos);
}

TEST_CASE("objectives: errors name the file, the loss and the parameter") {
  CHECK(refused(R"("l3")").find("my.json: loss: 'l3' is no loss; there are l1, mse") == 0);
  CHECK(refused(R"({"l1": 1, "sim": 1})").find("my.json: loss: 'sim' is no loss") == 0);
  CHECK(refused("{}").find("my.json: loss: {} is no loss; write") == 0);
  CHECK(refused("1").find("my.json: loss: 1 is no loss; write") == 0);
  CHECK(refused(R"({"l1": 0})").find("my.json: loss: l1: 'weight' is 0") == 0);
  CHECK(refused(R"({"l1": "much"})").find("my.json: loss: l1: must be an object") == 0);
  CHECK(refused(R"({"l1": {"beta": 1}})").find("my.json: loss: l1: does not know 'beta'") == 0);
  CHECK(refused(R"({"exposure": {"level": 2}})").find("loss: exposure: 'level' is 2") !=
        std::string::npos);
}

}  // namespace mend::test
