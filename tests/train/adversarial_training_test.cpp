// Trainings through other networks, and steps of several batches.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "tests/support/thrown.h"
#include "tests/train/workplace.h"

namespace mend::test {
namespace {

constexpr const char* kUnet = R"(, "loss": {"l1": 1, "gan": {"weight": 0.1, "kind": "vanilla",
    "discriminator": {"name": "unet", "num_feat": 4},
    "optimizer": {"name": "adam", "learning_rate": 2e-3}}})";
constexpr const char* kPatch = R"(, "loss": {"l1": 1, "gan": {"weight": 0.1, "kind": "hinge",
    "discriminator": {"name": "patch", "ndf": 4, "n_layers": 2}}})";

std::string refused(const std::string& loss) {
  return thrown<UsageError>(
      [&] { parse_recipe(R"({"network": {"name": "srvgg"}, "loss": )" + loss + "}", "my.json"); });
}

}  // namespace

TEST_CASE("adversarial training: both networks learn, and the discriminator is written") {
  const Workplace place;
  for (const char* loss : {kUnet, kPatch}) {
    CAPTURE(loss);
    const std::string folder = place.folder(loss == kUnet ? "unet" : "patch");
    {
      Trainer first(place.recipe(loss), folder, ignore);
      first.run({}, 1e-9);  // one step
    }
    const Checkpoint early = read_checkpoint(folder + "/discriminator.safetensors");
    Trainer trainer(place.recipe(loss), folder, ignore);
    const std::vector<double> losses = losses_of(trainer);
    CHECK(std::all_of(losses.begin(), losses.end(),
                      [](double value) { return std::isfinite(value); }));
    const Checkpoint late = read_checkpoint(folder + "/discriminator.safetensors");
    REQUIRE(late.tensors.size() == early.tensors.size());
    for (const auto& [key, tensor] : early.tensors) {
      CAPTURE(key);
      CHECK(late.tensors.at(key).to_f32() != tensor.to_f32());
    }
  }
}

TEST_CASE("adversarial training: against a network that stands still, the discriminator wins") {
  const Workplace place;
  Recipe recipe = place.recipe(kUnet);
  recipe.schedule = {.kind = Schedule::Kind::kConstant, .peak = 1e-12};
  recipe.steps = 100;
  Trainer trainer(recipe, place.folder("run"), ignore);
  trainer.run({});
  // Two coins thrown: 2·ln 2. The file has one row, the mean of all 100 steps.
  const std::string log = bytes_of(place.folder("run") + "/log.csv");
  CHECK(log.find("discriminator_loss\n") != std::string::npos);
  const double loss = std::strtod(log.c_str() + log.rfind(',') + 1, nullptr);
  CHECK(loss > 0);
  CHECK(loss < 0.9 * 2 * std::log(2.0));
}

TEST_CASE(
    "adversarial training: stopped and resumed it has the same bits, on one thread and on two") {
  const Workplace place;
  const std::string changes = std::string(kUnet) + R"(, "accumulate": 2)";
  Trainer whole(place.recipe(changes), place.folder("whole"), ignore);
  whole.run({});
  {
    Trainer first(place.recipe(changes), place.folder("parts"), ignore);
    first.run({}, 1e-9);  // one step
  }
  const int before = threads();
  set_threads(1);
  Trainer second(place.recipe(changes), place.folder("parts"), ignore);
  CHECK(second.steps_done() == 1);
  second.run({});
  set_threads(before);
  for (const char* name :
       {"/model.safetensors", "/discriminator.safetensors", "/state.safetensors"}) {
    CAPTURE(name);
    CHECK(bytes_of(place.folder("whole") + name) == bytes_of(place.folder("parts") + name));
  }
}

TEST_CASE("adversarial training: a discriminator may start from another's weights") {
  const Workplace place;
  Trainer(place.recipe(kUnet), place.folder("first"), ignore).run({});
  Recipe recipe = place.recipe(kUnet);
  recipe.loss.adversarial->discriminator.start =
      place.folder("first") + "/discriminator.safetensors";
  recipe.schedule = {.kind = Schedule::Kind::kConstant, .peak = 0};
  recipe.steps = 1;
  Trainer(recipe, place.folder("second"), ignore).run({});
  const Checkpoint before = read_checkpoint(place.folder("first") + "/discriminator.safetensors");
  const Checkpoint after = read_checkpoint(place.folder("second") + "/discriminator.safetensors");
  CHECK(after.tensors.at("conv1.weight_orig").to_f32() ==
        before.tensors.at("conv1.weight_orig").to_f32());
  recipe.loss.adversarial->discriminator.hyper = UNetDiscriminatorSN::Hyper{.num_feat = 8};
  CHECK(thrown<CheckpointError>([&] {
          Trainer(recipe, place.folder("third"), ignore);
        }).find("UNetDiscriminatorSN(num_feat 8)") != std::string::npos);
}

TEST_CASE(
    "adversarial training: a rate that is far too high ends in an error, not in NaN weights") {
  const Workplace place;
  Recipe recipe = place.recipe(kUnet);
  recipe.loss.adversarial->optimizer["learning_rate"] = 1e38;
  recipe.held_out.clear();
  Trainer trainer(recipe, place.folder("run"), ignore);
  CHECK_THROWS_AS(trainer.run({}), NumericError);
  CHECK_NOTHROW(read_checkpoint(place.folder("run") + "/discriminator.safetensors"));
}

TEST_CASE("accumulation: two batches of three are one batch of six") {
  const Workplace place;
  for (const char* loss : {"", kUnet}) {
    CAPTURE(loss);
    const std::string name = *loss == '\0' ? "plain" : "gan";
    Recipe large = place.recipe(loss);
    large.batch = 6;
    Trainer at_once(large, place.folder(name + "_large"), ignore);
    Trainer in_parts(place.recipe(std::string(loss) + R"(, "accumulate": 2)"),
                     place.folder(name + "_parts"), ignore);
    const std::vector<double> expected = losses_of(at_once), got = losses_of(in_parts);
    REQUIRE(got.size() == expected.size());
    // Rounding grows with the steps: Adam divides by what it has seen.
    CHECK(got[0] == doctest::Approx(expected[0]).epsilon(1e-6));
    for (std::size_t i = 0; i < got.size(); ++i)
      CHECK(got[i] == doctest::Approx(expected[i]).epsilon(2e-3));
  }
}

TEST_CASE("accumulation: the mean is that of the gradients, and the next step begins anew") {
  AccumulatedGradient mean(2);
  const auto pair = [](float a, float b) {
    return Tensors{Tensor::full({1, 1, 1, 3}, a), Tensor(), Tensor::full({2, 1, 1, 1}, b)};
  };
  for (int step = 0; step < 2; ++step) {
    mean.add(pair(1, 4));
    mean.add(pair(3, -10));
    const Tensors& got = mean.mean();
    CHECK(got[0].view<const float>().data[2] == 2);
    CHECK_FALSE(got[1].defined());
    CHECK(got[2].view<const float>().data[1] == -3);
  }
  mean.add(pair(100, 100));
  mean.clear();
  mean.add(pair(1, 1));
  mean.add(pair(1, 1));
  CHECK(mean.mean()[0].view<const float>().data[0] == 1);
}

TEST_CASE("recipes: errors of perceptual, gan and accumulate name the file and the entry") {
  CHECK(refused(R"({"perceptual": 1})").find("my.json: loss: perceptual: must be an object") == 0);
  CHECK(refused(R"({"perceptual": {"weight": 1}})").find("perceptual: needs 'vgg19'") !=
        std::string::npos);
  CHECK(refused(R"({"perceptual": {"vgg19": "v", "layers": {"conv9_1": 1}}})")
            .find("has no 'conv9_1'") != std::string::npos);
  CHECK(refused(R"({"perceptual": {"vgg19": "v", "layers": {"conv5_4": -1}}})")
            .find("'conv5_4' is -1") != std::string::npos);
  CHECK(refused(R"({"perceptual": {"vgg19": "v", "criterion": "l7"}})").find("must be l1 or mse") !=
        std::string::npos);
  CHECK(refused(R"({"gan": {"weight": 1}})").find("my.json: loss: gan: needs 'discriminator'") ==
        0);
  CHECK(refused(R"({"gan": {"kind": "w", "discriminator": {"name": "unet"}}})")
            .find("'kind' is 'w'") != std::string::npos);
  CHECK(refused(R"({"gan": {"discriminator": {"name": "unet", "norm": "batch"}}})")
            .find("my.json: loss: gan: discriminator: does not know 'norm'") == 0);
  CHECK(refused(R"({"gan": {"discriminator": {"name": "unet"}, "optimizer": 1}})")
            .find("'optimizer'") != std::string::npos);
  CHECK(thrown<UsageError>([] {
          parse_recipe(R"({"network": {"name": "srvgg"}, "accumulate": 0})", "my.json");
        }).find("'accumulate' is 0") != std::string::npos);
  const Recipe recipe = parse_recipe(
      R"({"network": {"name": "srvgg"}, "loss": {"perceptual": {"vgg19": "v.pth"}}})", "a/my.json");
  CHECK(recipe.loss.perceptual->vgg19 == "a/v.pth");
  CHECK(recipe.loss.perceptual->layers.size() == 5);
  CHECK(recipe.loss.objective.empty());
}

}  // namespace mend::test
