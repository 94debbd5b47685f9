// What a step of training allocates: nothing, once the first is done. A program of its own, whose `new` counts.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "tests/models/each_fixture.h"
#include "tests/train/lessons.h"
#include "train/optimizers.h"
#include "train/trainer.h"
#include "train/training_step.h"

namespace {
std::atomic<std::int64_t> calls_of_new{0};

void* counted(std::size_t bytes) {
  ++calls_of_new;
  return std::malloc(bytes > 0 ? bytes : 1);
}
}  // namespace

// Not inlined: GCC takes a `free` that it sees inside a `delete` for a mistake. The memory of a tensor is
// std::aligned_alloc's, but what owns it is made by `new`.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (void* memory = counted(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted(bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace mend::test {
namespace {

/// A training without its pictures: the batch stays the same.
class Training {
 public:
  Training(const TrainableModel& model, const Tensor& input, const Shape& target, const char* loss,
           int batches)
      : parameters_(values_of(model)),
        input_(input),
        target_(random_tensor(target, 2)),
        step_(model, input.shape(), target, make_objective(loss, "test")),
        batches_(batches),
        gradient_(batches),
        optimizer_(make_optimizer({{"name", "adam"}, {"learning_rate", 1e-4}}, parameters_)) {}

  /// Forward and backward of the batches, and an update; how often it called `new`.
  std::int64_t allocations_of_a_step() {
    const std::int64_t before = calls_of_new;
    for (int batch = 0; batch < batches_; ++batch) {
      step_.run(parameters_, input_, target_);
      gradient_.add(step_.gradients());
    }
    optimizer_->step(gradient_.mean());
    return calls_of_new - before;
  }

 private:
  Tensors parameters_;
  Tensor input_, target_;
  TrainingStep step_;
  int batches_;
  AccumulatedGradient gradient_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace

TEST_CASE("training: a step allocates nothing after the first, whatever its loss") {
  for (const Lesson& lesson : lessons())
    for (const char* loss : {"l1", "mse", "charbonnier", "smooth_l1", "psnr", "ssim", "fft_l1",
                             "total_variation", "exposure", "colour_constancy"}) {
      CAPTURE(std::string(lesson.network));
      CAPTURE(std::string(loss));
      Shape input = lesson.input;
      input.h = std::max(input.h, 16);  // a window of SSIM, a region of the exposure
      input.w = std::max(input.w, 16);
      const TrainableModel model = made(lesson);
      Shape target = input;
      target.h *= lesson.scale;
      target.w *= lesson.scale;
      for (const int batches : {1, 2}) {
        Training training(model, random_tensor(input, 1), target, loss, batches);
        CHECK(training.allocations_of_a_step() > 0);
        CHECK(training.allocations_of_a_step() == 0);
      }
    }
}

TEST_CASE("training: a step allocates nothing after the first, whatever the network") {
  int tried = 0;
  for (const std::string name : kSmallFixtures) {
    CAPTURE(name);
    const std::string path = golden_path(name);
    if (!require_data(path)) continue;
    const Golden golden = load_golden(path);
    const std::vector<std::string> inputs = golden.inputs();
    if (inputs.size() != 1) continue;  // a training pairs one picture with its target
    const Tensor x = golden.at(inputs[0]);
    const Shape target = load_model(golden.weights).forward({x})[0].shape();
    Training training(TrainableModel(golden.weights), x, target, "l1", 1);
    training.allocations_of_a_step();
    CHECK(training.allocations_of_a_step() == 0);
    ++tried;
  }
  MESSAGE(tried << " networks");
}

TEST_CASE("training: a step allocates nothing after the first, with Zero-DCE's losses") {
  const std::string path = golden_path("zero_dce/nf8");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  const Tensor x = golden.at(golden.inputs()[0]);  // a picture: the losses want numbers in [0,1]
  Training training(TrainableModel(golden.weights), x, x.shape(), "zero_dce", 1);
  training.allocations_of_a_step();
  CHECK(training.allocations_of_a_step() == 0);
}

}  // namespace mend::test
