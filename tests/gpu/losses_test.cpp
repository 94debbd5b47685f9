// Losses that look at more than one number at a time: on the GPU as on the CPU.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "tests/gpu/on_gpu.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "train/loss_steps.h"

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

}  // namespace mend::test
