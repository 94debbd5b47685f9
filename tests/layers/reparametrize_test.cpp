#include "layers/reparametrize.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/error.h"
#include "kernels/conv2d/conv2d.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

/// The weights of a fixture, with its buffers, as the parameters of one layer.
std::shared_ptr<ParameterStore> store_of(const Golden& golden) {
  const std::string kBuffers = "buffers/";
  Checkpoint checkpoint = golden.weights;
  for (const auto& [key, stored] : golden.stored.tensors) {
    if (key.starts_with(kBuffers)) checkpoint.tensors[key.substr(kBuffers.size())] = stored;
  }
  return std::make_shared<ParameterStore>(checkpoint, "conv(5)");
}

op::Conv2d conv3x3() {
  op::Conv2d conv;
  conv.kernel_h = conv.kernel_w = 3;
  conv.padding_h = conv.padding_w = 1;
  conv.outputs = 5;
  return conv;
}

/// A checkpoint for a kernel of 1 output, 1x1, 2 channels.
std::shared_ptr<ParameterStore> small_store(std::vector<float> v, std::vector<float> g) {
  Checkpoint checkpoint;
  checkpoint.tensors["conv.weight_v"] = make_stored_tensor({1, 2, 1, 1}, std::move(v));
  if (!g.empty())
    checkpoint.tensors["conv.weight_g"] = make_stored_tensor({1, 1, 1, 1}, std::move(g));
  return std::make_shared<ParameterStore>(checkpoint, "test");
}

}  // namespace

TEST_CASE("spectral_norm_kernel: equals the official implementation") {
  const std::string path = shared_path("goldens/ops/spectral_norm__conv_eval.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  const auto store = store_of(golden);
  const Tensor weight = spectral_norm_kernel(Scope(store), 5, 3, 3, 3);
  store->finish();
  CHECK(weight.name() == "weight");
  CHECK(max_error(mend::apply(conv3x3(), {golden.at("input"), weight}), golden.at("output")) <=
        2e-5);
}

TEST_CASE("weight_norm_kernel: equals the official implementation") {
  const std::string path = shared_path("goldens/ops/weight_norm__conv.safetensors");
  if (!require_data(path)) return;
  const Golden golden = load_golden(path);
  const auto store = store_of(golden);
  const Tensor weight = weight_norm_kernel(Scope(store), 5, 3, 3, 3);
  store->finish();
  CHECK(max_error(mend::apply(conv3x3(), {golden.at("input"), weight}), golden.at("output")) <=
        2e-5);
}

TEST_CASE("weight_norm_kernel: a direction of length 0 is refused, a missing key is reported") {
  CHECK_THROWS_WITH_AS(
      weight_norm_kernel(Scope(small_store({0, 0}, {1})) / "conv", 1, 1, 1, 2),
      "conv.weight_v: is divided by its norm, which is 0; the checkpoint is damaged",
      CheckpointError);
  const auto incomplete = small_store({3, 4}, {});
  const Tensor weight = weight_norm_kernel(Scope(incomplete) / "conv", 1, 1, 1, 2);
  CHECK(std::isfinite(weight.view<const float>().data[0]));
  CHECK_THROWS_AS(incomplete->finish(), CheckpointError);
}

}  // namespace mend::test
