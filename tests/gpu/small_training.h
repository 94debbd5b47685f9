// Trainings of a few steps on any device.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tests/train/workplace.h"
#include "train/trainer.h"

namespace mend::test {

/// Few steps, and what the CPU alone does left out: the simulator takes its time.
inline Recipe small_recipe(const Workplace& place, const std::string& changes = "") {
  Recipe recipe = place.recipe(changes);
  recipe.steps = 6;
  recipe.checkpoint_every = 3;
  recipe.held_out.clear();
  return recipe;
}

/// What makes a recipe adversarial.
inline constexpr const char* kSmallAdversary = R"(, "loss": {"mse": 1, "gan": {
    "weight": 0.1, "kind": "least_squares", "discriminator": {"name": "patch", "ndf": 4,
    "n_layers": 1, "norm": "none"}, "optimizer": {"name": "adam", "learning_rate": 2e-3}}})";

inline Trainer on(Device& device, const Recipe& recipe, const std::string& folder,
                  const std::shared_ptr<Replicas>& replicas = alone(),
                  std::unique_ptr<GpuMean> gpus = nullptr) {
  return Trainer(
      recipe, folder, ignore, replicas,
      [](const std::string& path) { return read_checkpoint(path); }, device, true, std::move(gpus));
}

}  // namespace mend::test
