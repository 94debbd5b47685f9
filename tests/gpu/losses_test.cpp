// Losses that look at more than one number at a time: on the GPU as on the CPU.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "engine/ladder.h"
#include "models/registry.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"
#include "train/ingredients.h"
#include "train/initialize.h"
#include "train/loss_steps.h"
#include "train/training_step.h"

namespace mend::test {
namespace {

constexpr const char* kLosses[] = {
    R"("psnr")",
    R"("fft_l1")",
    R"("ssim")",
    R"("total_variation")",
    R"({"spatial_consistency": {"weight": 2, "region": 3}})",
    R"({"exposure": {"weight": 10, "level": 0.4, "region": 5}})",
    R"("colour_constancy")",
    R"("illumination_smoothness")",
    R"({"l1": 1, "fft_l1": 0.05, "ssim": 0.1})",
};

TrainableModel small_zero_dce() {
  return TrainableModel(
      initial_checkpoint(architecture_named("zero_dce"), {{"number_f", 4}, {"iterations", 8}}, 1));
}

Tensors moved(const Tensors& host) {
  Tensors there;
  for (const Tensor& tensor : host) there.push_back(to_gpu(tensor));
  return there;
}

}  // namespace

TEST_CASE("losses on the GPU: value and gradient are the CPU's") {
  for (const Shape& shape : {Shape{2, 13, 15, 3}, Shape{1, 11, 12, 3}}) {
    const Tensors inputs{random_tensor(shape, 1), random_tensor(shape, 2), random_tensor(shape, 3)};
    for (const char* text : kLosses) {
      CAPTURE(text);
      CAPTURE(to_string(shape));
      const Objective objective = make_objective(Json::parse(text), "test");
      const LossSteps here = loss_steps(objective, inputs);
      const LossSteps there = loss_steps(objective, moved(inputs));
      CHECK(relative_error(to_host(there.value), here.value) < 1e-5);
      CHECK(relative_error(to_host(there.gradient), here.gradient) < 1e-5);
      CHECK(identical(to_host(loss_steps(objective, moved(inputs)).gradient),
                      to_host(there.gradient)));
    }
  }
}

TEST_CASE("losses on the GPU: a step by each of them has the CPU's loss and gradients") {
  const TrainableModel model = small_zero_dce();  // it has the outputs that all of them look at
  const Tensors parameters = values_of(model);
  const Tensor x = random_tensor({1, 17, 16, 3}, 1), target = random_tensor({1, 17, 16, 3}, 2);
  std::vector<std::string> losses(std::begin(kLosses), std::end(kLosses));
  for (const char* more : {"l1", "mse", "smooth_l1", "charbonnier", "zero_dce"}) {
    losses.push_back('"' + std::string(more) + '"');
  }
  for (const std::string& text : losses) {
    CAPTURE(text);
    const Objective objective = make_objective(Json::parse(text), "test");
    TrainingStep here(model, x.shape(), target.shape(), objective);
    const double loss = here.run(parameters, x, target);
    // Products in f32: a colour cast is a small difference of means, which those in TF32 move by percents.
    force_variant("conv2d", "cuda_tiled");
    force_variant("conv2d_weight_gradient", "cuda_naive");
    TrainingStep there(model, x.shape(), target.shape(), objective, {}, LateReads::kKept, gpu(0));
    const Tensors on_gpu = moved(parameters);
    for (int run = 0; run < 2; ++run) {  // step by step, and as a graph
      CHECK(there.run(on_gpu, x, target) == doctest::Approx(loss).epsilon(1e-5));
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        CAPTURE(model.parameters()[i].key);
        CHECK(relative_error(to_host(there.gradients()[i]), here.gradients()[i]) < 1e-4);
      }
    }
    clear_forced_variants();
  }
}

TEST_CASE("losses on the GPU: each recipe of the default weights has all that it needs there") {
  int recipes = 0;
  for (const auto& file : std::filesystem::directory_iterator(source_path("train/recipes"))) {
    Recipe recipe = read_recipe(file.path().string());
    CAPTURE(recipe.name);
    recipe.start.clear();  // the shapes are those of its network all the same
    const TrainableModel model(first_checkpoint(
        recipe, [](const std::string&) {},
        [](const std::string& path) { return read_checkpoint(path); }));
    const PairOptions options = pair_options(recipe, model, 1, recipe.patch);
    const int side = recipe.patch * recipe.scale;
    const int seen = options.picture_channels() + (recipe.mask.empty() ? 0 : 1);
    for (const Precision precision : {Precision::kF32, Precision::kBF16}) {
      CHECK_NOTHROW(TrainingStep(model, {1, recipe.patch, recipe.patch, seen},
                                 {1, side, side, options.target_channels()}, recipe.loss.objective,
                                 {}, LateReads::kKept, gpu(0), true, narrow_images_of(precision)));
    }
    ++recipes;
  }
  CHECK(recipes >= 11);
}

}  // namespace mend::test
