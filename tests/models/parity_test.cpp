// Networks against the outputs of their official implementations, eager and planned.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/ladder.h"
#include "engine/plan.h"
#include "models/registry.h"
#include "tests/models/fixture_outputs.h"
#include "tests/models/released.h"
#include "tests/models/small_fixtures.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

/// The plan that runs depth first wherever it can, on pictures of any size, has the same bits. Only for
/// small fixtures: a row at a time is slow.
void check_depth_first(const Model& model, const std::vector<Tensor>& inputs,
                       const std::vector<Tensor>& planned) {
  constexpr int kMostPixels = 64 * 64;
  constexpr std::int64_t kMostParameters = 500'000;
  if (inputs[0].shape().pixels() > kMostPixels || model.parameters > kMostParameters) return;
  Shapes shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  force_variant("row_chain", "always");
  Plan plan(model.forward, shapes);
  clear_forced_variants();
  plan.poison();
  const std::vector<Tensor> outputs = plan(inputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    CAPTURE(model.traits.outputs[i]);
    CHECK(identical(outputs[i], planned[i]));
  }
}

/// Eager and plan against `expected`, output by output (an undefined tensor is not compared), and
/// against each other. The plan's arena starts full of NaN. `expected` has all pixels, or those that
/// `strides` say.
void check_outputs(const Model& model, const std::vector<Tensor>& inputs,
                   const std::vector<Tensor>& expected, double bound,
                   const std::vector<int>& strides = {}) {
  const std::vector<Tensor> eager = model.forward(inputs);
  Shapes shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  Plan plan(model.forward, shapes);
  plan.poison();
  const std::vector<Tensor> planned = plan(inputs);
  check_depth_first(model, inputs, planned);
  REQUIRE(eager.size() == model.traits.outputs.size());
  REQUIRE(planned.size() == eager.size());
  std::vector<int> stride = strides;
  stride.resize(eager.size(), 1);
  for (std::size_t i = 0; i < eager.size(); ++i) {
    CAPTURE(model.traits.outputs[i]);
    CHECK(relative_error(planned[i], eager[i]) <= 1e-5);
    if (i >= expected.size() || !expected[i].defined()) continue;
    CHECK(max_error(thinned(eager[i], stride[i]), expected[i]) <= bound);
    CHECK(max_error(thinned(planned[i], stride[i]), expected[i]) <= bound);
    if (std::getenv("MEND_FIXTURES") != nullptr) {
      std::printf("%s %s: error %.2g of %.2g\n", model.description.c_str(),
                  model.traits.outputs[i].c_str(), max_error(planned[i], expected[i]).value, bound);
    }
  }
}

/// Runs `model` on the inputs of `golden` and checks every output that the fixture lists.
void check_golden(const Model& model, const Golden& golden) {
  const std::vector<std::string> given = golden.inputs();
  std::vector<std::string> taken = model.traits.inputs;
  CHECK(given.size() + static_cast<std::size_t>(model.traits.optional_inputs) >= taken.size());
  if (given.size() < taken.size()) taken.resize(given.size());
  CHECK(taken == given);
  std::vector<Tensor> inputs, expected;
  for (const std::string& name : golden.inputs()) inputs.push_back(golden.at(name));
  std::vector<int> strides;
  for (const std::string& name : model.traits.outputs) {
    const auto [tensor, stride] = stored_output(golden, name);
    expected.push_back(tensor);
    strides.push_back(stride);
  }
  for (const std::string& name : golden.outputs()) CHECK(golden.has(name));
  check_outputs(model, inputs, expected, golden.tolerance.at("float32_max_abs").get<double>(),
                strides);
}

}  // namespace

TEST_CASE("networks: outputs of small fixtures equal the official implementations") {
  for (const std::string name : kSmallFixtures) {
    CAPTURE(name);
    const std::string path = golden_path(name);
    if (!require_data(path)) continue;
    const Golden golden = load_golden(path);
    check_golden(load_model(golden.weights), golden);
  }
}

TEST_CASE("networks: outputs of full-size fixtures equal the official implementations") {
  const char* const kFixtures[] = {
      "codeformer/codeformer",
      "dat/DAT_light_x4",
      "ddcolor/ddcolor_modelscope",
      "ddcolor/ddcolor_paper_tiny",
      "dncnn/dncnn_25",
      "dncnn/dncnn_color_blind",
      "eccv16/colorization_release_v2-9b330a0b",
      "drunet/drunet_color",
      "drunet/drunet_gray",
      "edsr/EDSR_Lx4_f256b32_DIV2K_official",
      "edsr/EDSR_Mx2_f64b16_DIV2K_official",
      "edsr/EDSR_Mx3_f64b16_DIV2K_official",
      "edsr/EDSR_Mx4_f64b16_DIV2K_official",
      "espcn/espcn_x3",
      "fbcnn/fbcnn_color",
      "fbcnn/fbcnn_gray",
      "ffdnet/ffdnet_color",
      "fftformer/fftformer_GoPro",
      "fsrcnn/fsrcnn_x3",
      "gfpgan/GFPGANv1.4",
      "hat/HAT-S_SRx4",
      "hat/HAT_SRx4",
      "lama/big-lama",
      "migan/migan_256_places2",
      "mimo_unet/MIMO-UNet",
      "mimo_unet/MIMO-UNetPlus",
      "mprnet/model_deblurring",
      "mprnet/model_deraining",
      "nafnet/NAFNet-GoPro-width32",
      "nafnet/NAFNet-GoPro-width64",
      "nafnet/NAFNet-SIDD-width32",
      "nafnet/NAFNet-SIDD-width64",
      "omnisr/OmniSR_X4_DF2K",
      "plksr/PLKSR_X4_DF2K",
      "realcugan/pro-no-denoise-up2x",
      "realcugan/up2x-latest-no-denoise",
      "realcugan/up3x-latest-no-denoise",
      "realcugan/up4x-latest-no-denoise",
      "restormer/motion_deblurring",
      "restormer/real_denoising",
      "retinexformer/LOL_v1",
      "rrdbnet/BSRGAN",
      "rrdbnet/BSRGANx2",
      "rrdbnet/ESRGAN_x4_old_arch",
      "rrdbnet/RealESRGAN_x2plus",
      "rrdbnet/RealESRGAN_x4plus",
      "rrdbnet/RealESRGAN_x4plus_anime_6B",
      "scunet/scunet_color_real_psnr",
      "siggraph17/siggraph17-df00044c",
      "safmn/SAFMN_DF2K_x4",
      "span/spanx2_ch48",
      "span/spanx4_ch48",
      "srcnn/srcnn_x3",
      "srvgg/realesr-animevideov3",
      "srvgg/realesr-general-x4v3",
      "swinir/001_classicalSR_DF2K_s64w8_SwinIR-M_x4",
      "swinir/002_lightweightSR_DIV2K_s64w8_SwinIR-S_x2",
      "swinir/002_lightweightSR_DIV2K_s64w8_SwinIR-S_x3",
      "swinir/002_lightweightSR_DIV2K_s64w8_SwinIR-S_x4",
      "swinir/003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN",
      "swinir/005_colorDN_DFWB_s128w8_SwinIR-M_noise25",
      "swinir/006_colorCAR_DFWB_s126w7_SwinIR-M_jpeg40",
      "uformer/Uformer_B",
      "zero_dce/Epoch99",
  };
  for (const std::string name : kFixtures) {
    CAPTURE(name);
    const std::string golden = shared_path("goldens/" + name + ".full.safetensors");
    if (!require_data(golden)) continue;
    const Checkpoint weights = fill_checkpoint(shared_path("goldens/" + name + ".keys.json"));
    check_golden(load_model(weights), load_golden(golden));
  }
}

TEST_CASE("networks: face networks with weights made by formula give their authors' outputs") {
  for (const std::string name : {"codeformer/formula", "retinaface/tiny", "retinaface/mobile"}) {
    CAPTURE(name);
    const std::string path = data_path("goldens/" + name);
    if (!require_data(path + ".full.safetensors")) continue;
    const Model model = load_model(fill_checkpoint(path + ".keys.json"));
    CHECK(model.name == name.substr(0, name.find('/')));
    check_golden(model, load_golden(path + ".full.safetensors"));
  }
}

TEST_CASE("networks: released checkpoints give the outputs of their authors' code") {
  for (const Released& released : kReleased) {
    const std::string weights = released.weights;
    CAPTURE(weights);
    CAPTURE(released.sigma);
    const std::string golden_file =
        shared_path("goldens_real/" + std::string(released.golden) + ".safetensors");
    if (!require_data(shared_path("weights/" + weights)) || !require_data(golden_file)) continue;
    const Model model = load_model(read_checkpoint(shared_path("weights/" + weights)));
    const Golden golden = load_golden(golden_file);
    std::vector<Tensor> inputs = {golden.at(released.input)};
    if (released.sigma > 0) inputs.push_back(Tensor::full({1, 1, 1, 1}, released.sigma));
    std::vector<Tensor> expected;
    for (const std::string name : released.outputs) expected.push_back(golden.at(name));
    check_outputs(model, inputs, expected, kReleasedTolerance * model.traits.white);
  }
}

TEST_CASE("networks: released checkpoints reproduce the fixtures made with them") {
  const std::pair<const char*, const char*> kPairs[] = {
      {"dncnn_gray_s25/dncnn_25.pth", "dncnn/dncnn_25"},
      {"zero_dce/zero_dce.pth", "zero_dce/Epoch99"},
  };
  for (const auto& [weights, name] : kPairs) {
    CAPTURE(name);
    const std::string golden = shared_path("goldens/" + std::string(name) + ".real.safetensors");
    const std::string file = shared_path("weights/" + std::string(weights));
    if (!require_data(golden) || !require_data(file)) continue;
    check_golden(load_model(read_checkpoint(file)), load_golden(golden));
  }
}

}  // namespace mend::test
