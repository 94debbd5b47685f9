// Whole trainings on the GPU: parameters, gradients, memory and averages lie there.
#include <doctest/doctest.h>

#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/gpu.h"
#include "tests/support/compare.h"
#include "tests/train/workplace.h"

namespace mend::test {
namespace {

/// Few steps, and what the CPU alone does left out: the simulator takes its time.
Recipe small_recipe(const Workplace& place, const std::string& changes = "") {
  Recipe recipe = place.recipe(changes);
  recipe.steps = 6;
  recipe.checkpoint_every = 3;
  recipe.held_out.clear();
  return recipe;
}

Trainer on(Device& device, const Recipe& recipe, const std::string& folder) {
  return Trainer(
      recipe, folder, ignore, alone(),
      [](const std::string& path) { return read_checkpoint(path); }, device);
}

std::vector<double> trained(Device& device, const Recipe& recipe, const std::string& folder) {
  Trainer trainer = on(device, recipe, folder);
  return losses_of(trainer);
}

Checkpoint state_in(const std::string& folder) {
  return read_checkpoint(folder + "/state.safetensors");
}

/// ‖a − b‖ / ‖b‖ over all tensors whose names begin with `prefix`.
double difference(const Checkpoint& a, const Checkpoint& b, const std::string& prefix) {
  double squares = 0, all = 0;
  for (const auto& [name, tensor] : b.tensors) {
    if (!name.starts_with(prefix)) continue;
    const std::vector<float> mine = a.tensors.at(name).to_f32(), other = tensor.to_f32();
    for (std::size_t i = 0; i < other.size(); ++i) {
      squares += (double{mine[i]} - other[i]) * (double{mine[i]} - other[i]);
      all += double{other[i]} * other[i];
    }
  }
  return std::sqrt(squares / all);
}

}  // namespace

TEST_CASE("gpu: a training goes as on the CPU, also in several batches a step") {
  const Workplace place;
  for (const std::string changes : {"", R"(, "accumulate": 2)"}) {
    CAPTURE(changes);
    const Recipe recipe = small_recipe(place, changes);
    const std::string here = place.folder("cpu" + changes), there = place.folder("gpu" + changes);
    const std::vector<double> expected = trained(cpu(), recipe, here);
    const std::vector<double> losses = trained(gpu(0), recipe, there);
    REQUIRE(losses.size() == expected.size());
    for (std::size_t i = 0; i < losses.size(); ++i) {
      CHECK(losses[i] == doctest::Approx(expected[i]).epsilon(2e-2));
    }
    // TF32 gradients, whose signs Adam's first steps look at more than at their size.
    for (const char* prefix : {"parameter/", "average/"}) {
      CHECK(difference(state_in(there), state_in(here), prefix) < 3e-2);
    }
  }
}

TEST_CASE("gpu: a training that was stopped and resumed has the same bits") {
  const Workplace place;
  const Recipe recipe = small_recipe(place);
  trained(gpu(0), recipe, place.folder("whole"));
  for (int step = 1; step <= 2; ++step) {
    Trainer first = on(gpu(0), recipe, place.folder("parts"));
    first.run({}, 1e-9);  // one step
    CHECK(first.steps_done() == step);
  }
  trained(gpu(0), recipe, place.folder("parts"));
  for (const char* name : {"/state.safetensors", "/model.safetensors"}) {
    CHECK(bytes_of(place.folder("whole") + name) == bytes_of(place.folder("parts") + name));
  }
}

TEST_CASE("gpu: a training begun on one device goes on on the other with what that had") {
  const Workplace place;
  const Recipe recipe = small_recipe(place);
  for (Device* first : {&cpu(), &gpu(0)}) {
    Device& second = first == &cpu() ? gpu(0) : cpu();
    const std::string folder = place.folder(std::string(first->name()));
    on(*first, recipe, folder).run({}, 1e-9);
    const Checkpoint before = state_in(folder);
    {
      Recipe still = recipe;
      still.steps = 1;  // what it has read, it writes again
      Trainer trainer = on(second, still, folder);
      CHECK(trainer.steps_done() == 1);
      trainer.write_model(folder + "/as_read.safetensors");
    }
    CHECK(bytes_of(folder + "/as_read.safetensors") == bytes_of(folder + "/model.safetensors"));
    Trainer trainer = on(second, recipe, folder);
    CHECK(losses_of(trainer).size() == 5);
    CHECK(state_in(folder).metadata.at("step") == "6");
    CHECK(difference(state_in(folder), before, "parameter/") > 0);
  }
}

TEST_CASE("gpu: a rate that is far too high goes back, and ends in an error, not in NaN weights") {
  const Workplace place;
  Recipe recipe = small_recipe(place);
  recipe.schedule.peak = 1e38;
  recipe.clip = 0;
  recipe.steps = 100;
  Trainer trainer = on(gpu(0), recipe, place.folder("run"));
  CHECK_THROWS_AS(trainer.run({}), NumericError);
  CHECK_NOTHROW(load_model(read_checkpoint(place.folder("run") + "/model.safetensors")));
}

}  // namespace mend::test
