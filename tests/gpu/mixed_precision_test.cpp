// Trainings whose images between layers are bf16: what gradients are made of, single steps, and whole trainings.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "kernels/activation/gradient.h"
#include "kernels/convert/convert.h"
#include "kernels/elementwise/gradient.h"
#include "tests/gpu/on_gpu.h"
#include "tests/support/compare.h"
#include "tests/support/thrown.h"
#include "tests/train/lessons.h"
#include "tests/train/workplace.h"
#include "train/recipe.h"

namespace mend::test {
namespace {

Tensor rounded(const Tensor& x, DType type) { return converted(converted(x, type), DType::kF32); }

/// `op` of inputs in `type`, in slices whose margins are poisoned, gives what it gives in f32 of the same numbers.
template <class Op>
void check_narrow(Op op, const Tensors& inputs, DType type, double within) {
  Tensors host;
  for (const Tensor& input : inputs) host.push_back(rounded(input, type));
  const Tensor expected = mend::apply(op, Inputs(host));
  op.type = type;
  CAPTURE(op.describe());
  CAPTURE(name_of(type));
  const AnyOp any = op;
  for (const Margins& margins : {Margins{0, 0}, Margins{3, 2}, Margins{8, 8}}) {
    CAPTURE(margins.before);
    std::vector<GuardedOnGpu> guards;
    Tensors there;
    for (const Tensor& input : host) {
      there.push_back(guards.emplace_back(input, type, margins).tensor());
    }
    const GuardedOnGpu y(expected.shape(), any.dtype(), margins);
    any.forward(there, y.tensor(), {});
    CHECK(relative_error(to_host(y.tensor()), expected) < within);
    CHECK(y.intact());
  }
}

Recipe small_recipe(const Workplace& place, const std::string& changes) {
  Recipe recipe = place.recipe(changes);
  recipe.steps = 10;
  recipe.checkpoint_every = 3;
  recipe.held_out.clear();
  return recipe;
}

Trainer on_gpu(const Recipe& recipe, const std::string& folder) {
  return Trainer(
      recipe, folder, ignore, alone(),
      [](const std::string& path) { return read_checkpoint(path); }, gpu(0));
}

constexpr const char* kBf16 = R"(, "precision": "bf16")";

}  // namespace

TEST_CASE("gpu, mixed: sums over 16-bit images are f32, with f32's digits") {
  for (const DType type : {DType::kBF16, DType::kF16})
    for (const Shape& shape : {Shape{2, 7, 9, 16}, Shape{1, 5, 11, 3}, Shape{2, 33, 20, 24}}) {
      const Tensor x = random_tensor(shape, 1), z = random_tensor(shape, 2);
      check_narrow(op::SumTo{vector_shape(shape.c)}, {x}, type, 5e-6);
      check_narrow(op::SumTo{vector_shape(shape.c), true}, {x, z}, type, 5e-6);
      check_narrow(op::SumTo{{shape.n, 1, 1, 1}}, {x, z}, type, 5e-6);
      check_narrow(op::SumTo{{shape.n, shape.h, shape.w, 1}}, {x}, type, 5e-6);
    }
}

TEST_CASE("gpu, mixed: gradients of activations are f32's, rounded once") {
  using enum ActivationKind;
  for (const Shape& shape : {Shape{2, 7, 9, 16}, Shape{1, 5, 11, 3}}) {
    const Tensor seen = random_tensor(shape, 1), dy = random_tensor(shape, 2);
    for (const Activation& activation : {Activation{kRelu}, {kLeakyRelu, 0.2f}, {kGelu}, {kSilu}}) {
      check_narrow(op::ActivationGradient{activation}, {seen, dy}, DType::kBF16, 4e-3);
    }
    check_narrow(op::ActivationGradient{{kPrelu}},
                 {seen, dy, random_tensor(vector_shape(shape.c), 3)}, DType::kBF16, 4e-3);
  }
}

TEST_CASE("gpu, mixed: a step in bf16 has f32's loss and gradients to its 8 bits, in less memory") {
  for (const Lesson& lesson : lessons()) {
    CAPTURE(lesson.network);
    const LessonStep f32 = step_of(lesson, {}, gpu(0));
    const LessonStep bf16 = step_of(lesson, narrow_images(DType::kBF16), gpu(0));
    CHECK(bf16.loss == doctest::Approx(f32.loss).epsilon(1e-2));
    const double apart = difference(bf16.gradients, f32.gradients);
    CHECK(apart < 5e-2);
    CHECK(apart > 1e-4);  // it did run in bf16
    CHECK(bf16.arena_bytes < 0.9 * static_cast<double>(f32.arena_bytes));
    const LessonStep again = step_of(lesson, narrow_images(DType::kBF16), gpu(0));
    CHECK(again.loss == bf16.loss);
    CHECK(difference(again.gradients, bf16.gradients) == 0);
  }
}

TEST_CASE("gpu, mixed: losses of several numbers are f32 behind a network in bf16") {
  Lesson lesson = lessons()[1];
  lesson.loss = "total_variation";
  const LessonStep f32 = step_of(lesson, {}, gpu(0));
  const LessonStep bf16 = step_of(lesson, narrow_images(DType::kBF16), gpu(0));
  CHECK(bf16.loss == doctest::Approx(f32.loss).epsilon(1e-2));
  CHECK(difference(bf16.gradients, f32.gradients) < 0.15);
}

TEST_CASE("gpu, mixed: a training in bf16 goes as one in f32") {
  const Workplace place;
  Trainer exact = on_gpu(small_recipe(place, ""), place.folder("f32"));
  Trainer mixed = on_gpu(small_recipe(place, kBf16), place.folder("bf16"));
  const std::vector<double> expected = losses_of(exact), losses = losses_of(mixed);
  REQUIRE(losses.size() == expected.size());
  double apart = 0;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    CHECK(losses[i] == doctest::Approx(expected[i]).epsilon(3e-2));
    apart += std::abs(losses[i] - expected[i]);
  }
  CHECK(apart > 0);
  CHECK(expected.back() < 0.9 * expected.front());  // something is learned
  CHECK(mixed.arena_bytes() < exact.arena_bytes());
}

TEST_CASE("gpu, mixed: a training in bf16 that was stopped and resumed has the same bits") {
  const Workplace place;
  for (const std::string changes : {"", R"(, "accumulate": 2, "checkpointing": true)"}) {
    CAPTURE(changes);
    Recipe recipe = small_recipe(place, kBf16 + changes);
    recipe.steps = 4;
    const std::string whole = place.folder("whole" + changes);
    const std::string parts = place.folder("parts" + changes);
    on_gpu(recipe, whole).run({});
    on_gpu(recipe, parts).run({}, 1e-9);  // one step
    on_gpu(recipe, parts).run({});
    for (const char* name : {"/state.safetensors", "/model.safetensors"}) {
      CHECK(bytes_of(whole + name) == bytes_of(parts + name));
    }
    Recipe other = small_recipe(place, changes);
    other.steps = 4;
    CHECK_THROWS_AS(on_gpu(other, parts), UsageError);  // f32 does not go on with bf16
  }
}

}  // namespace mend::test
