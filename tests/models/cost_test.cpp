// What plans know before they run: receptive fields and operation counts. Nothing is computed here.
#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "engine/plan.h"
#include "models/registry.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

Plan plan_of(const Model& model, int size) {
  Shapes inputs = {{1, size, size, model.traits.input_channels}};
  if (model.traits.inputs.size() > 1) inputs.push_back({1, 1, 1, 1});
  return Plan(model.forward, inputs);
}

}  // namespace

TEST_CASE("networks: the traced footprint is what the papers' figures add up to") {
  struct Expected {
    std::string manifest;
    double radius;
    double scale;
  };
  const Expected kExpected[] = {
      {"dncnn/dncnn_25", 17, 1},              // 17 convolutions
      {"dncnn/dncnn_color_blind", 20, 1},     // 20
      {"srvgg/realesr-general-x4v3", 34, 4},  // 34
      {"srcnn/srcnn_x3", 8, 1},               // 4 + 2 + 2
      // conv_first, 23 · 3 · 5 convolutions, conv_body; 1/2 + 1/4 + 1/4 + 1/4 of a pixel of
      // convolutions at the larger sizes, and what nearest upsampling adds.
      {"rrdbnet/RealESRGAN_x4plus", 349, 4},
  };
  for (const Expected& expected : kExpected) {
    CAPTURE(expected.manifest);
    const std::string path = shared_path("goldens/" + expected.manifest + ".keys.json");
    if (!require_data(path)) continue;
    const Footprint footprint = plan_of(load_model(fill_checkpoint(path)), 64).footprint();
    CHECK(std::ceil(footprint.radius) == expected.radius);
    CHECK(footprint.scale == expected.scale);
    CHECK(!footprint.global);
  }
}

TEST_CASE("networks: a plan counts the multiplications that the official definition has") {
  const char* const kManifests[] = {
      "codeformer/codeformer",
      "dncnn/dncnn_25",
      "edsr/EDSR_Mx2_f64b16_DIV2K_official",
      "edsr/EDSR_Mx4_f64b16_DIV2K_official",
      "espcn/espcn_x3",
      "ffdnet/ffdnet_color",
      "fsrcnn/fsrcnn_x2",
      "gfpgan/GFPGANv1.4",
      "rrdbnet/BSRGANx2",
      "rrdbnet/RealESRGAN_x2plus",
      "rrdbnet/RealESRGAN_x4plus_anime_6B",
      "srcnn/srcnn_x3",
      "srvgg/realesr-animevideov3",
      "zero_dce/Epoch99",
  };
  for (const std::string name : kManifests) {
    CAPTURE(name);
    const std::string path = shared_path("goldens/" + name + ".keys.json");
    if (!require_data(path)) continue;
    const double macs = Json::parse(read_file(path)).at("macs_256").at("macs").get<double>();
    // CodeFormer's multiplications were counted at w = 0, where nothing is fused.
    const Json config = name.starts_with("codeformer") ? Json{{"w", 0}} : Json::object();
    const Model model = load_model(fill_checkpoint(path), config);
    // The manifest counts convolutions alone; activations and sums add a little, tanh a little more.
    // Networks of one size are counted at that.
    const int size = model.traits.working_size == 0 ? 256 : model.traits.working_size;
    const double counted = plan_of(model, size).cost().flops / 2;
    CHECK(counted >= macs);
    CHECK(counted <= 1.07 * macs);
  }
}

}  // namespace mend::test
