// What a checkpoint's training says that it is for, and what the program makes of that.
#include "models/task.h"

#include <doctest/doctest.h>

#include "engine/error.h"
#include "models/trainable.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"
#include "tests/support/thrown.h"

namespace mend::test {
namespace {

using Tasks = std::vector<std::string>;

/// DRUNet for colour pictures and a noise level, in_nc 4 and out_nc 3.
Checkpoint drunet_for(const std::string& task) {
  Checkpoint checkpoint =
      load_golden(data_path("goldens/drunet/color_odd_replicate.safetensors")).weights;
  if (!task.empty()) checkpoint.metadata["task"] = task;
  return checkpoint;
}

Checkpoint edsr_for(const std::string& task) {
  Checkpoint checkpoint = load_golden(data_path("goldens/edsr/x2.safetensors")).weights;
  checkpoint.metadata["task"] = task;
  return checkpoint;
}

std::string refusal(const Checkpoint& checkpoint) {
  return thrown<CheckpointError>([&] { load_model(checkpoint); });
}

/// 1 in a rectangle of a mask for a picture of 12 x 10, else 0.
Tensor mask_of_12x10() {
  const Tensor mask = Tensor::zeros({1, 10, 12, 1});
  for (int y = 3; y < 7; ++y)
    for (int x = 5; x < 8; ++x) mask.view<float>()(0, y, x, 0) = 1;
  return mask;
}

}  // namespace

TEST_CASE("tasks: a network is for what its checkpoint says it was trained for") {
  CHECK(load_model(drunet_for("")).traits.tasks == Tasks{"denoise"});
  for (const char* task :
       {"denoise", "dejpeg", "deblur", "derain", "dehaze", "lowlight", "restore", "inpaint"}) {
    CAPTURE(task);
    CHECK(load_model(drunet_for(task)).traits.tasks == Tasks{task});
    CHECK(TrainableModel(drunet_for(task)).traits().tasks == Tasks{task});
  }
  CHECK(load_model(drunet_for("dejpeg")).traits.condition == Condition::kSigmaMap);
}

TEST_CASE("tasks: words of other programs' metadata are not heeded") {
  for (const std::string& word : {std::string("image-to-image"), std::string("Denoise"),
                                  std::string("\0\n", 2), std::string(100'000, 'x')}) {
    CHECK(load_model(drunet_for(word)).traits.tasks == Tasks{"denoise"});
  }
}

TEST_CASE("tasks: what a network cannot do is refused with its name") {
  for (const char* task : {"upscale", "colorize", "face", "face detection"}) {
    CAPTURE(task);
    const std::string message = refusal(drunet_for(task));
    CHECK(message.find(std::string("trained for ") + task) != std::string::npos);
    CHECK(message.find("UNetRes(") != std::string::npos);
  }
  CHECK(load_model(edsr_for("upscale")).traits.tasks == Tasks{"upscale"});
  CHECK(!refusal(edsr_for("denoise")).empty());  // it enlarges
  CHECK(!refusal(edsr_for("inpaint")).empty());
}

TEST_CASE("tasks: to inpaint, DRUNet takes the mask where it took sigma, and keeps known pixels") {
  const Model denoiser = load_model(drunet_for("")), model = load_model(drunet_for("inpaint"));
  CHECK(model.traits.condition == Condition::kMaskMap);
  CHECK(model.traits.fills_holes());
  CHECK(!model.traits.takes_sigma());
  const Tensor picture = random_tensor({1, 10, 12, 3}, 3), mask = mask_of_12x10();
  const Tensors inputs = network_inputs(model, picture, {.mask = mask});
  REQUIRE(inputs.size() == 1);
  REQUIRE(inputs[0].shape() == Shape{1, 10, 12, 4});
  const Tensor y = model.forward(inputs)[0], raw = denoiser.forward(inputs)[0];
  const TrainableModel trainable(drunet_for("inpaint"));
  CHECK(identical(trainable.forward(values_of(trainable), inputs)[0], y));
  for (int h = 0; h < 10; ++h)
    for (int w = 0; w < 12; ++w) {
      const float hole = mask.view<const float>()(0, h, w, 0);
      REQUIRE(inputs[0].view<const float>()(0, h, w, 3) == hole);
      for (int c = 0; c < 3; ++c) {
        const float known = picture.view<const float>()(0, h, w, c);
        REQUIRE(inputs[0].view<const float>()(0, h, w, c) == (hole == 1 ? 0 : known));
        const float filled = raw.view<const float>()(0, h, w, c);
        REQUIRE(y.view<const float>()(0, h, w, c) == (hole == 1 ? filled : known));
      }
    }
  CHECK_THROWS_AS(network_inputs(model, picture, {}), UsageError);
}

}  // namespace mend::test
