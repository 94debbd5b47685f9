// IAT beyond its fixture: batches, and what its keys tell.
#include <doctest/doctest.h>

#include <string>

#include "engine/error.h"
#include "layers/functions.h"
#include "models/registry.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

const std::string kWeights = "weights/iat_lol/iat_lol.safetensors";

/// {1,N·h,w,C} -> its N pictures of height h.
Tensor picture_of(const Tensor& tall, int index, int h) {
  return crop(tall, index * h, 0, h, tall.shape().w);
}

}  // namespace

TEST_CASE("iat: each picture of a batch has a gamma and colours of its own") {
  if (!require_data(shared_path(kWeights))) return;
  const Model model = load_model(read_checkpoint(shared_path(kWeights)));
  const Tensor tall = affine(random_tensor({1, 26, 19, 3}, 5), 0.1f, 0.15f);
  const std::vector<Tensor> together = model.forward({reshape(tall, 2, 13, 19)});
  for (std::size_t i = 0; i < together.size(); ++i) {
    CAPTURE(model.traits.outputs[i]);
    const Tensor both = reshape(together[i], 1, 26, 19);
    for (int n = 0; n < 2; ++n) {
      const Tensor alone = model.forward({picture_of(tall, n, 13)})[i];
      CHECK(relative_error(picture_of(both, n, 13), alone) <= 1e-6);
    }
  }
}

TEST_CASE("iat: keys tell whether there is a global branch; both types compute the same") {
  if (!require_data(shared_path(kWeights))) return;
  Checkpoint checkpoint = read_checkpoint(shared_path(kWeights));
  const Model model = load_model(checkpoint);
  CHECK(model.name == "iat");
  CHECK(model.hyperparameters.at("with_global") == true);
  const Tensor x = affine(random_tensor({1, 13, 19, 3}, 5), 0.1f, 0.15f);
  const std::vector<Tensor> y = model.forward({x});
  CHECK(relative_error(load_model(checkpoint, {{"type", "exp"}}).forward({x})[0], y[0]) <= 0);
  CHECK_THROWS_AS(load_model(checkpoint, {{"type", "dark"}}), CheckpointError);
  CHECK_THROWS_AS(load_model(checkpoint, {{"with_global", false}}), CheckpointError);

  std::erase_if(checkpoint.tensors,
                [](const auto& entry) { return entry.first.starts_with("global_net."); });
  const Model local = load_model(checkpoint);
  CHECK(local.hyperparameters.at("with_global") == false);
  const std::vector<Tensor> z = local.forward({x});
  CHECK(relative_error(z[0], x * y[1] + y[2]) <= 1e-6);
  CHECK_FALSE(relative_error(z[0], y[0]) <= 1e-2);
}

}  // namespace mend::test
