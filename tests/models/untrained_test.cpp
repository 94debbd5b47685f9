// Networks with made-up parameters: the shapes are the official ones, and nothing in them is absurd.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "models/measured.h"
#include "models/registry.h"

namespace mend::test {
namespace {

const Architecture& architecture_of(const std::string& name) {
  const auto all = architectures();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  REQUIRE(found != all.end());
  return *found;
}

}  // namespace

TEST_CASE("untrained: every configuration has the parameters that its checkpoint has") {
  constexpr std::int64_t kMost = 6'000'000;  // the larger ones are the same code, wider and deeper
  int tried = 0;
  for (const MeasuredNetwork& one : measured_networks()) {
    if (one.parameters > kMost) continue;
    CAPTURE(one.network);
    CAPTURE(one.name);
    const Model model = untrained_model(architecture_of(one.network), one.hyperparameters);
    CHECK(model.made_up);
    CHECK(model.traits.tasks == one.tasks);
    // SPAN's file has three convolutions where one runs; retinaface's and others' batch norms are
    // parameters here as there.
    if (one.network != "span") CHECK(model.parameters == one.parameters);
    ++tried;
  }
  CHECK(tried > 40);
}

TEST_CASE("untrained: outputs are finite and not all the same") {
  for (const char* name : {"dncnn", "srvgg", "swinir", "zero_dce", "omnisr"}) {
    CAPTURE(name);
    const MeasuredNetwork* known = find_configuration(name);
    REQUIRE(known != nullptr);
    CHECK(known->weights != "small");
    const Model model = untrained_model(architecture_of(known->network), known->hyperparameters);
    const Shapes shapes = input_shapes(model, 32, 32);
    std::vector<Tensor> inputs;
    for (const Shape& shape : shapes) inputs.push_back(Tensor::full(shape, 0.4f));
    const Tensor y = Plan(model.forward, shapes)(inputs).front();
    const float* values = y.view<const float>().data;
    bool finite = true;
    for (std::int64_t i = 0; i < y.shape().elements(); ++i) {
      finite = finite && std::isfinite(values[i]);
    }
    CHECK(finite);
    const auto [low, high] = std::minmax_element(values, values + y.shape().elements());
    CHECK(*low < *high);
  }
}

TEST_CASE("untrained: a configuration is found by its name, else by its network's") {
  CHECK(find_configuration("RealESRGAN_x4plus")->network == "rrdbnet");
  CHECK(find_configuration("rrdbnet")->network == "rrdbnet");
  CHECK(find_configuration("ircnn") != nullptr);  // measured small alone
  CHECK(find_configuration("no such network") == nullptr);
}

TEST_CASE("untrained: absurd hyper-parameters are refused as those of files are") {
  Json hyper = find_configuration("rrdbnet")->hyperparameters;
  hyper["num_feat"] = -1;
  CHECK_THROWS_AS(untrained_model(architecture_of("rrdbnet"), hyper), CheckpointError);
}

}  // namespace mend::test
