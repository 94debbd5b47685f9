// Trainings whose images between layers are bf16, on the CPU: arithmetic stays f32, memory is less.
#include <doctest/doctest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "engine/parallel.h"
#include "kernels/convert/convert.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "tests/support/thrown.h"
#include "tests/train/lessons.h"
#include "tests/train/workplace.h"

namespace mend::test {
namespace {

constexpr const char* kBf16 = R"(, "precision": "bf16")";

}  // namespace

TEST_CASE("training, mixed: a step in bf16 has f32's loss and gradients to its 8 bits") {
  for (const Lesson& lesson : lessons()) {
    CAPTURE(lesson.network);
    const LessonStep f32 = step_of(lesson, {});
    LessonStep first;
    on_one_and_two_threads([&](int count) {
      const LessonStep bf16 = step_of(lesson, narrow_images(DType::kBF16));
      CHECK(bf16.loss == doctest::Approx(f32.loss).epsilon(1e-2));
      const double apart = difference(bf16.gradients, f32.gradients);
      CHECK(apart < 5e-2);
      CHECK(apart > 1e-4);  // images were rounded
      if (count == 1) first = bf16;
      CHECK(difference(bf16.gradients, first.gradients) == 0);
    });
    const LessonStep again =
        step_of(lesson, narrow_images(DType::kBF16), cpu(), LateReads::kRecomputed);
    CHECK(difference(again.gradients, f32.gradients) < 8e-2);  // made of rounded images once more
  }
}

TEST_CASE("training, mixed: one in bf16 goes as one in f32, in less memory") {
  const Workplace place;
  const auto trained = [&](const std::string& changes) {
    Recipe recipe = place.recipe(changes);
    recipe.held_out.clear();
    recipe.patch = 24;  // larger than what kernels work in
    recipe.batch = 6;
    recipe.steps = 15;
    Trainer trainer(recipe, place.folder("run" + changes), ignore);
    return std::pair(losses_of(trainer), trainer.arena_bytes());
  };
  const auto [expected, most] = trained("");
  const auto [losses, bytes] = trained(kBf16);
  REQUIRE(losses.size() == expected.size());
  double apart = 0;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    CHECK(losses[i] == doctest::Approx(expected[i]).epsilon(5e-2));
    apart += std::abs(losses[i] - expected[i]);
  }
  CHECK(apart > 0);
  CHECK(expected.back() < 0.9 * expected.front());  // something is learned
  CHECK(static_cast<double>(bytes) < 0.85 * static_cast<double>(most));
}

TEST_CASE("training, mixed: one in bf16 that was stopped and resumed has the same bits") {
  const Workplace place;
  for (const std::string changes : {"", R"(, "accumulate": 2, "checkpointing": true)"}) {
    CAPTURE(changes);
    Recipe recipe = place.recipe(kBf16 + changes);
    recipe.steps = 4;
    const std::string whole = place.folder("whole" + changes);
    const std::string parts = place.folder("parts" + changes);
    Trainer(recipe, whole, ignore).run({});
    Trainer(recipe, parts, ignore).run({}, 1e-9);  // one step
    Trainer(recipe, parts, ignore).run({});
    for (const char* name : {"/state.safetensors", "/model.safetensors"}) {
      CHECK(bytes_of(whole + name) == bytes_of(parts + name));
    }
    Recipe other = place.recipe(changes);
    other.steps = 4;
    // f32 does not go on with bf16.
    CHECK_THROWS_AS(Trainer(other, parts, ignore), UsageError);
  }
}

}  // namespace mend::test
