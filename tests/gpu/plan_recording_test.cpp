// Plans that a GPU replays: the bits of their steps one by one, in memory of their own.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "engine/cancel.h"
#include "engine/cuda/cuda_device.h"
#include "engine/error.h"
#include "engine/ladder.h"
#include "engine/log.h"
#include "kernels/cuda/cuda_kept_tables.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/resample/resample.h"
#include "tests/gpu/on_gpu.h"
#include "tests/gpu/small_runs.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "tests/train/lessons.h"

namespace mend::test {
namespace {

/// What is written to stderr as long as it lives, with all that -v says.
class VerboseLog {
 public:
  VerboseLog() : file_(std::tmpfile()), stderr_(dup(2)) {
    dup2(fileno(file_), 2);
    set_log_level(LogLevel::kVerbose);
  }
  ~VerboseLog() {
    set_log_level(LogLevel::kNormal);
    dup2(stderr_, 2);
    close(stderr_);
    std::fclose(file_);
  }
  VerboseLog(const VerboseLog&) = delete;
  VerboseLog& operator=(const VerboseLog&) = delete;

  std::string text() const {
    std::string text(static_cast<std::size_t>(std::ftell(file_)), ' ');
    std::rewind(file_);
    text.resize(std::fread(text.data(), 1, text.size(), file_));
    return text;
  }

 private:
  std::FILE* file_;
  int stderr_;
};

/// y = x, by way of the host: no graph can hold that. Throws when it is told to.
struct ByWayOfHost {
  static constexpr std::string_view kName = "by_way_of_host";
  static constexpr bool kOnGpu = true;
  const bool* fails;

  Shape shape(const Shapes& in) const { return in[0]; }
  Cost cost(const Shapes&) const { return {}; }
  Footprint footprint(const Shapes&) const { return {}; }
  void forward(Inputs inputs, const Tensor& y, Scratch) const {
    if (*fails) throw OutOfMemory("told to fail");
    const Tensor here = inputs[0].on(cpu());
    y.device().copy(const_cast<void*>(y.address()), here.address(),
                    static_cast<std::size_t>(here.bytes()));
  }
};

Network forward_of(const TrainableModel& model) {
  return [&model](const Tensors& given) { return model.forward(values_of(model), {given[0]}); };
}

PlanOptions on_gpu(bool records) { return {.device = &gpu(0), .records = records}; }

}  // namespace

TEST_CASE("gpu: a replayed plan has the bits of its steps one by one, for inputs that change") {
  for (const Lesson& lesson : lessons()) {
    CAPTURE(lesson.network);
    const TrainableModel model = made(lesson);
    Plan steps(forward_of(model), {lesson.input}, nullptr, on_gpu(false));
    Plan replayed(forward_of(model), {lesson.input}, nullptr, on_gpu(true));
    for (std::uint32_t run = 1; run <= 4; ++run) {
      CAPTURE(run);
      const Tensor x = random_tensor(lesson.input, run);
      if (run > 1) replayed.poison();
      CHECK(identical(replayed({x})[0], steps({x})[0]));
      CHECK((replayed.recording() != nullptr) == (run > 1));
    }
    CHECK(steps.recording() == nullptr);
  }
}

TEST_CASE("gpu: a plan that is lent another tensor is recorded anew") {
  const Network sum = [](const Tensors& given) {
    return Tensors{apply(op::Binary{BinaryKind::kAdd}, {given[0], given[1]})};
  };
  const Shape shape{1, 4, 5, 8};
  PlanOptions options = on_gpu(true);
  options.lent = {false, true};
  Plan plan(sum, {shape, shape}, nullptr, options);
  const Tensor x = random_tensor(shape, 1);
  for (const std::uint32_t seed : {2u, 3u}) {
    CAPTURE(seed);
    const Tensor z = random_tensor(shape, seed), lent = to_gpu(z);
    plan.lend_input(1, lent);
    CHECK(plan.recording() == nullptr);
    for (int run = 0; run < 3; ++run) {
      plan.set_input(0, x);
      plan.run();
      CHECK(identical(plan.results(0, 1)[0], sum({x, z})[0]));
    }
    CHECK(plan.recording() != nullptr);
  }
}

TEST_CASE("gpu: every network's plan is recorded, with the same bits") {
  int recorded = 0;
  const auto compare = [&](const Model& model, const Tensors& inputs, const Tensors&) {
    const std::unique_ptr<Plan> plan = plan_on_gpu(model, shapes_of(inputs), on_gpu(true));
    REQUIRE(plan != nullptr);
    const Tensors first = (*plan)(inputs);
    plan->poison();
    const Tensors second = (*plan)(inputs);
    CHECK(plan->recording() != nullptr);
    for (std::size_t i = 0; i < first.size(); ++i) CHECK(identical(second[i], first[i]));
    ++recorded;
  };
  if (!for_each_small_fixture(compare)) return;
  CHECK(recorded == int{std::size(kSmallFixtures)});
}

TEST_CASE("gpu: a replayed training step has the bits of its steps one by one") {
  for (const Lesson& lesson : lessons()) {
    CAPTURE(lesson.network);
    const TrainableModel model = made(lesson);
    const Shape& in = lesson.input;
    const Shape out{in.n, in.h * lesson.scale, in.w * lesson.scale, 3};
    const Objective objective = make_objective(lesson.loss, "test");
    TrainingStep steps(model, in, out, objective, {}, LateReads::kKept, gpu(0), false);
    TrainingStep replayed(model, in, out, objective, {}, LateReads::kKept, gpu(0), true);
    Tensors parameters;
    for (const Tensor& value : values_of(model)) parameters.push_back(to_gpu(value));
    for (std::uint32_t run = 1; run <= 3; ++run) {
      CAPTURE(run);
      const Tensor x = random_tensor(in, run), target = random_tensor(out, 10 + run);
      std::size_t told = 0;
      const double loss = steps.run(parameters, x, target);
      replayed.start(parameters, x, target, {}, [&](std::size_t final) { told = final; });
      CHECK(replayed.loss() == loss);
      CHECK(told == replayed.final_order().size());
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        CHECK(identical(to_host(replayed.gradients()[i]), to_host(steps.gradients()[i])));
        // Other numbers at the same place.
        const Tensor changed = random_tensor(parameters[i].shape(), 100 * run + i);
        gpu(0).copy(const_cast<void*>(parameters[i].address()), changed.address(),
                    static_cast<std::size_t>(changed.bytes()));
      }
    }
  }
}

TEST_CASE(
    "gpu: plans that live side by side share an allocator, constants, and no working memory") {
  const std::vector<Lesson> all = lessons();
  const Lesson &nafnet = all[3], &drunet = all[2];
  const TrainableModel first_model = made(nafnet), second_model = made(drunet);
  const auto constants = std::make_shared<ConstantCache>();
  const Tensor x = random_tensor(nafnet.input, 1), z = random_tensor(drunet.input, 2);
  const Tensor expected_x =
      Plan(forward_of(first_model), {x.shape()}, nullptr, on_gpu(false))({x})[0];
  const Tensor expected_z =
      Plan(forward_of(second_model), {z.shape()}, nullptr, on_gpu(false))({z})[0];
  auto twin =
      std::make_unique<Plan>(forward_of(first_model), Shapes{x.shape()}, constants, on_gpu(true));
  Plan first(forward_of(first_model), {x.shape()}, constants, on_gpu(true));
  Plan second(forward_of(second_model), {z.shape()}, nullptr, on_gpu(true));
  for (int run = 1; run <= 4; ++run) {
    CAPTURE(run);
    CHECK(identical(first({x})[0], expected_x));
    CHECK(identical(second({z})[0], expected_z));
    if (twin) CHECK(identical((*twin)({x})[0], expected_x));
    if (run == 3) twin.reset();  // what it had goes to whoever asks next
    // Others take what is free, and write to it.
    for (const std::size_t bytes : {1000, 30'000, 3'000'000}) {
      const Storage other(bytes, gpu(0));
      gpu(0).fill(other.data(), 0xFF, bytes);
    }
  }
  CHECK(first.recording() != nullptr);
  CHECK(second.recording() != nullptr);
}

TEST_CASE("gpu: a plan allocates nothing from its third run on, and gives all back when it dies") {
  CudaDevice& device = cuda_device(gpu(0));
  const Lesson lesson = lessons()[3];
  const TrainableModel model = made(lesson);
  const Tensor x = random_tensor(lesson.input, 1);
  Plan(forward_of(model), {lesson.input}, nullptr, on_gpu(true))({x});  // tables that stay
  const std::size_t used = device.allocator().used_bytes();
  const std::int64_t counted = allocated_bytes(), recorded = device.recorded_bytes();
  {
    Plan plan(forward_of(model), {lesson.input}, nullptr, on_gpu(true));
    for (int run = 1; run <= 2; ++run) plan({x});
    const CachingAllocator& allocator = device.allocator();
    const std::size_t used_then = allocator.used_bytes(), cached_then = allocator.cached_bytes();
    const std::int64_t counted_then = allocated_bytes();
    for (int run = 3; run <= 5; ++run) plan.run();
    CHECK(allocator.used_bytes() == used_then);
    CHECK(allocator.cached_bytes() == cached_then);
    CHECK(allocated_bytes() == counted_then);
  }
  device.synchronize();
  CHECK(device.allocator().used_bytes() == used);
  CHECK(device.recorded_bytes() == recorded);
  CHECK(allocated_bytes() == counted);
}

TEST_CASE("gpu: tables that are dropped stay a recording's") {
  const op::Resample half{.mode = ResampleMode::kBicubic, .height = 5, .width = 4};
  const Network network = [&](const Tensors& given) {
    return Tensors{mend::apply(half, {given[0]})};
  };
  const Tensor x = random_tensor({1, 11, 9, 3}, 1);
  Plan plan(network, {x.shape()}, nullptr, on_gpu(true));
  const Tensor expected = plan({x})[0];
  const auto drop_all = [] {
    gpu(0).make_current();
    for (int i = 0; i < 300; ++i) {
      kept_table("drops others " + std::to_string(i), [] { return std::vector<std::byte>(5000); });
    }
  };
  drop_all();
  CHECK(identical(plan({x})[0], expected));  // brings its tables anew while it is recorded
  REQUIRE(plan.recording() != nullptr);
  drop_all();
  CHECK(identical(plan({x})[0], expected));
}

TEST_CASE("gpu: a plan that cannot be recorded runs step by step, and -v says why") {
  bool fails = false;
  const Network network = [&](const Tensors& given) {
    return Tensors{mend::apply(ByWayOfHost{&fails}, {given[0] + given[0]}) + given[0]};
  };
  const Tensor x = random_tensor({1, 3, 5, 7}, 1);
  Plan plan(network, {x.shape()}, nullptr, on_gpu(true));
  const Tensor expected = plan({x})[0];
  std::string said;
  {
    const VerboseLog log;
    CHECK(identical(plan({x})[0], expected));
    said = log.text();
  }
  CHECK(said.find("3 steps run one by one: ") != std::string::npos);
  CHECK(said.find("(by_way_of_host): a copy between the host and the GPU cannot be recorded") !=
        std::string::npos);
  CHECK(plan.recording() == nullptr);
  const Tensor other = random_tensor(x.shape(), 2);
  CHECK(max_error(plan({other})[0], other + other + other) <= 1e-6);

  Plan unlucky(network, {x.shape()}, nullptr, on_gpu(true));
  unlucky({x});
  fails = true;
  CHECK_THROWS_WITH_AS(unlucky({x}), "told to fail", OutOfMemory);
  fails = false;
  const VerboseLog log;
  CHECK(identical(unlucky({x})[0], expected));
  CHECK(log.text().find("3 steps run one by one: ") != std::string::npos);  // it was tried again
}

TEST_CASE(
    "gpu: a replayed plan says so at -v, tells progress once, and stops when it is asked to") {
  const Network network = [](const Tensors& given) { return Tensors{given[0] + given[0]}; };
  const Tensor x = random_tensor({1, 3, 5, 7}, 1);
  Plan plan(network, {x.shape()}, nullptr, on_gpu(true));
  plan({x});
  std::string said;
  {
    const VerboseLog log;
    plan({x});
    said = log.text();
  }
  CHECK(said.find("1 steps run as a CUDA graph of 1 nodes") != std::string::npos);
  int calls = 0, last = 0, of = 0;
  plan.run([&](int done, int all) {
    ++calls;
    last = done;
    of = all;
  });
  CHECK(calls == 1);
  CHECK(last == of);
  request_cancel();
  CHECK_THROWS_AS(plan.run(), Interrupted);
  clear_cancel();
  CHECK(plan.run_timed().size() == 1);
  CHECK(identical(plan({x})[0], x + x));
}

TEST_CASE("gpu: a picture in tiles that overlap is the same with and without graphs") {
  const Model model = small_denoiser();
  const TileableNetwork network{.network = model.forward};
  const Tensor x = random_tensor({1, 67, 53, 3}, 1);
  const Tensor y = tiled(network, x, gpu(0));
  CHECK(identical(y, tiled(network, x, gpu(0), false)));
  // The plainest rung sums each output alike wherever it lies, so there tiles change nothing.
  force_variant("conv2d", "cuda_naive");
  Plan whole(model.forward, {x.shape()}, nullptr, on_gpu(false));
  CHECK(identical(tiled(network, x, gpu(0)), whole({x})[0]));
  clear_forced_variants();
}

}  // namespace mend::test
