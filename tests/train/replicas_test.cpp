// Trainings by several replicas, here as threads of one process; tests/mpi has them as processes.
#include "train/replicas.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <vector>

#include "restore/image_file.h"
#include "tests/support/paths.h"
#include "tests/train/thread_replicas.h"
#include "train/gradient_mean.h"
#include "train/trainer.h"

namespace mend::test {
namespace {

/// A picture, and a recipe of 20 short steps.
struct Lesson {
  Lesson() {
    Image image = make_image(80, 72, 3, 8);
    for (int y = 0; y < image.height; ++y)
      for (int i = 0; i < 3 * image.width; ++i) {
        image.row(y)[i] = static_cast<std::uint8_t>(60 + ((i / 15 + y / 7) % 2) * 90 + i / 4);
      }
    write_image(folder / "a.png", image);
  }
  Recipe recipe(const std::string& changes = "") const {
    return parse_recipe(R"({
      "task": "upscale",
      "network": {"name": "srvgg", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 8, "num_conv": 2,
                  "upscale": 2, "act_type": "prelu"},
      "steps": 20, "batch": 6, "patch": 12, "scale": 2, "margin": 2, "pictures": ["a.png"],
      "degrade": [{"do": "resize", "scale": 0.5, "filter": "area"}],
      "optimizer": {"name": "adam", "learning_rate": 3e-3}, "checkpoint_every": 10)" +
                            changes + "}",
                        folder / "recipe.json");
  }
  std::vector<double> losses(const Recipe& recipe, const std::string& to, int size) const {
    std::vector<double> found;
    const auto thrown = on_replicas(size, [&](const std::shared_ptr<Replicas>& replicas) {
      Trainer trainer(
          recipe, folder / to, [](const std::string&) {}, replicas);
      trainer.run([&](const StepReport& report) {
        if (replicas->leads()) found.push_back(report.loss);
      });
    });
    for (const std::string& fault : thrown) CHECK(fault == "");
    return found;
  }
  TemporaryFolder folder;
};

}  // namespace

TEST_CASE("replicas: 1, 2 and 3 of them have the same loss at every step, but for rounding") {
  const Lesson lesson;
  const std::vector<double> one = lesson.losses(lesson.recipe(), "one", 1);
  REQUIRE(one.size() == 20);
  CHECK(one.back() < 0.8 * one.front());
  for (const int size : {2, 3}) {
    CAPTURE(size);
    const std::vector<double> several = lesson.losses(lesson.recipe(), std::to_string(size), size);
    REQUIRE(several.size() == 20);
    for (std::size_t i = 0; i < 20; ++i) {
      CHECK(std::abs(several[i] - one[i]) <= 1e-6 * one[i]);
    }
  }
}

TEST_CASE("replicas: two of them share a discriminator and accumulated batches") {
  const Lesson lesson;
  const Recipe recipe = lesson.recipe(R"(, "accumulate": 2, "loss": {"mse": 1, "gan": {
      "weight": 0.1, "kind": "least_squares", "discriminator": {"name": "patch", "ndf": 4,
      "n_layers": 1, "norm": "none"}, "optimizer": {"name": "adam", "learning_rate": 2e-3}}})");
  const std::vector<double> one = lesson.losses(recipe, "one", 1);
  const std::vector<double> two = lesson.losses(recipe, "two", 2);
  REQUIRE(two.size() == one.size());
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(std::abs(two[i] - one[i]) <= 1e-4 * one[i]);
  const Checkpoint of_one = read_checkpoint(lesson.folder / "one" + "/discriminator.safetensors");
  const Checkpoint of_two = read_checkpoint(lesson.folder / "two" + "/discriminator.safetensors");
  for (const auto& [key, tensor] : of_one.tensors) {
    CAPTURE(key);
    const std::vector<float> values = tensor.to_f32(), others = of_two.tensors.at(key).to_f32();
    double apart = 0, all = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      apart = std::max(apart, std::abs(double{others[i]} - values[i]));
      all = std::max(all, std::abs(double{values[i]}));
    }
    CHECK(apart <= 1e-4 * all);
  }
}

TEST_CASE("replicas: means of gradients, in one bucket and in several") {
  const std::vector<std::int64_t> sizes{7, 300'000, 5, 0, 280'000, 11};
  const std::vector<std::size_t> order{4, 5, 1, 0, 2};  // there is no gradient 3
  on_replicas(2, [&](const std::shared_ptr<Replicas>& replicas) {
    GradientMean mean(replicas, order, sizes);
    for (int round = 0; round < 2; ++round) {
      Tensors gradients;
      for (const std::int64_t size : sizes) {
        const auto value = static_cast<float>(size % 100 + 2 * replicas->rank() + round);
        gradients.push_back(size > 0 ? Tensor::full({1, 1, 1, static_cast<int>(size)}, value)
                                     : Tensor());
      }
      for (std::size_t final = 0; final <= order.size(); ++final) mean.progress(gradients, final);
      mean.finish(gradients);
      for (const std::size_t i : order) {
        const float expected = static_cast<float>(sizes[i] % 100 + 1 + round);
        const float* values = gradients[i].view<const float>().data;
        CHECK(std::all_of(values, values + sizes[i], [&](float v) { return v == expected; }));
      }
    }
  });
}

TEST_CASE("replicas: an error on one is an error on all, told by the lowest that has it") {
  const std::vector<std::string> thrown =
      on_replicas(3, [](const std::shared_ptr<Replicas>& replicas) {
        replicas->together([] {});
        replicas->together([&] {
          if (replicas->rank() > 0) throw InputError("no picture");
        });
        FAIL_CHECK("goes on");
      });
  CHECK(thrown[0] == "another rank has failed");
  CHECK(thrown[1] == "no picture");
  CHECK(thrown[2] == "another rank has failed");
}

TEST_CASE(
    "replicas: one that fails in the middle of its gradients does not leave the others waiting") {
  const std::vector<std::int64_t> sizes{5, 6};
  on_replicas(2, [&](const std::shared_ptr<Replicas>& replicas) {
    GradientMean mean(replicas, {1, 0}, sizes);
    const Tensors gradients{Tensor::full({1, 1, 1, 5}, 1), Tensor::full({1, 1, 1, 6}, 1)};
    mean.progress(gradients, replicas->rank() == 0 ? 2 : 1);
    mean.finish(gradients);
    const float value = gradients[0].view<const float>().data[0];
    CHECK((replicas->rank() == 0 ? std::isnan(value) : value == 1));
  });
}

TEST_CASE("replicas: a rate that is far too high rolls all of them back, and ends all") {
  const Lesson lesson;
  Recipe recipe = lesson.recipe(R"(, "clip": 0)");
  recipe.schedule.peak = 1e38;
  const std::vector<std::string> thrown =
      on_replicas(2, [&](const std::shared_ptr<Replicas>& replicas) {
        Trainer(
            recipe, lesson.folder / "run", [](const std::string&) {}, replicas)
            .run({});
      });
  CHECK(thrown[0].find("lower the learning rate") != std::string::npos);
  CHECK(thrown[1] == "another rank has failed");
}

TEST_CASE("replicas: different recipes and uneven shares are refused") {
  const Lesson lesson;
  const auto refused = [&](const std::string& second, int size) {
    return on_replicas(size, [&](const std::shared_ptr<Replicas>& replicas) {
      Trainer(
          lesson.recipe(replicas->leads() ? "" : second), lesson.folder / "run",
          [](const std::string&) {}, replicas);
    });
  };
  CHECK(refused(R"(, "clip": 2)", 2)[1].find("differ from those of rank 0") != std::string::npos);
  CHECK(refused("", 4)[0].find("a batch of 6 has no equal shares for 4 processes") !=
        std::string::npos);
}

}  // namespace mend::test
