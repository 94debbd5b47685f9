// How a checkpoint finds its network, and what happens if it does not.
#include "models/registry.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "engine/error.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

/// A checkpoint of small random tensors.
Checkpoint checkpoint_of(
    const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& keys) {
  Checkpoint checkpoint;
  checkpoint.path = "net.safetensors";
  checkpoint.format = "safetensors";
  for (const auto& [key, shape] : keys) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    checkpoint.tensors[key] = make_stored_tensor(shape, procedural_fill(key, 1, 0.0, 0.1, count));
  }
  return checkpoint;
}

/// EDSR x2 with one block of two features.
Checkpoint tiny_edsr() {
  return checkpoint_of({{"conv_first.weight", {2, 3, 3, 3}},
                        {"conv_first.bias", {2}},
                        {"body.0.conv1.weight", {2, 2, 3, 3}},
                        {"body.0.conv1.bias", {2}},
                        {"body.0.conv2.weight", {2, 2, 3, 3}},
                        {"body.0.conv2.bias", {2}},
                        {"conv_after_body.weight", {2, 2, 3, 3}},
                        {"conv_after_body.bias", {2}},
                        {"upsample.0.weight", {8, 2, 3, 3}},
                        {"upsample.0.bias", {8}},
                        {"conv_last.weight", {3, 2, 3, 3}},
                        {"conv_last.bias", {3}}});
}

Checkpoint tiny_fsrcnn() {
  return checkpoint_of({{"first_part.0.weight", {4, 1, 5, 5}},
                        {"first_part.0.bias", {4}},
                        {"first_part.1.weight", {4}},
                        {"mid_part.0.weight", {2, 4, 1, 1}},
                        {"mid_part.0.bias", {2}},
                        {"mid_part.1.weight", {2}},
                        {"mid_part.2.weight", {4, 2, 1, 1}},
                        {"mid_part.2.bias", {4}},
                        {"mid_part.3.weight", {4}},
                        {"last_part.weight", {4, 1, 9, 9}},
                        {"last_part.bias", {1}}});
}

/// What load_model says when it refuses.
template <class Refusal = CheckpointError>
std::string refusal(Checkpoint checkpoint, const Json& config = Json::object()) {
  try {
    load_model(std::move(checkpoint), config);
  } catch (const Refusal& error) {
    return error.what();
  }
  return "(loaded)";
}

bool mentions(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    if (text.find(part) == std::string::npos) {
      MESSAGE("\"" << text << "\" does not mention \"" << part << "\"");
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("registry: keys and shapes alone tell every official configuration") {
  struct Manifest {
    std::string network, name;
  };
  const Manifest kManifests[] = {
      {"codeformer", "codeformer/codeformer"},
      {"dat", "dat/DAT_S_x4"},
      {"dat", "dat/DAT_light_x4"},
      {"dat", "dat/DAT_x4"},
      {"ddcolor", "ddcolor/ddcolor_modelscope"},
      {"ddcolor", "ddcolor/ddcolor_paper_tiny"},
      {"dncnn", "dncnn/dncnn_25"},
      {"dncnn", "dncnn/dncnn_color_blind"},
      {"dncnn", "dncnn/dncnn_gray_blind"},
      {"eccv16", "eccv16/colorization_release_v2-9b330a0b"},
      {"fdncnn", "dncnn/fdncnn_color"},
      {"fdncnn", "dncnn/fdncnn_gray"},
      {"drunet", "drunet/drunet_color"},
      {"drunet", "drunet/drunet_gray"},
      {"edsr", "edsr/EDSR_Lx2_f256b32_DIV2K_official"},
      {"edsr", "edsr/EDSR_Lx3_f256b32_DIV2K_official"},
      {"edsr", "edsr/EDSR_Lx4_f256b32_DIV2K_official"},
      {"edsr", "edsr/EDSR_Mx2_f64b16_DIV2K_official"},
      {"edsr", "edsr/EDSR_Mx3_f64b16_DIV2K_official"},
      {"edsr", "edsr/EDSR_Mx4_f64b16_DIV2K_official"},
      {"espcn", "espcn/espcn_x2"},
      {"espcn", "espcn/espcn_x3"},
      {"espcn", "espcn/espcn_x4"},
      {"fbcnn", "fbcnn/fbcnn_color"},
      {"fbcnn", "fbcnn/fbcnn_gray"},
      {"ffdnet", "ffdnet/ffdnet_color"},
      {"ffdnet", "ffdnet/ffdnet_gray"},
      {"fftformer", "fftformer/fftformer_GoPro"},
      {"fsrcnn", "fsrcnn/fsrcnn_x2"},
      {"fsrcnn", "fsrcnn/fsrcnn_x3"},
      {"fsrcnn", "fsrcnn/fsrcnn_x4"},
      {"gfpgan", "gfpgan/GFPGANv1.4"},
      {"hat", "hat/HAT-L_SRx4_ImageNet-pretrain"},
      {"hat", "hat/HAT-S_SRx4"},
      {"hat", "hat/HAT_SRx2"},
      {"hat", "hat/HAT_SRx3"},
      {"hat", "hat/HAT_SRx4"},
      {"lama", "lama/big-lama"},
      {"migan", "migan/migan_256_places2"},
      {"migan", "migan/migan_512_places2"},
      {"omnisr", "omnisr/OmniSR_X4_DF2K"},
      {"restormer", "restormer/dual_pixel_defocus_deblurring"},
      {"restormer", "restormer/gaussian_gray_denoising_blind"},
      {"restormer", "restormer/motion_deblurring"},
      {"restormer", "restormer/real_denoising"},
      {"mimo_unet", "mimo_unet/MIMO-UNet"},
      {"mimo_unet", "mimo_unet/MIMO-UNetPlus"},
      {"mprnet", "mprnet/model_deblurring"},
      {"mprnet", "mprnet/model_denoising"},
      {"mprnet", "mprnet/model_deraining"},
      {"nafnet", "nafnet/NAFNet-GoPro-width32"},
      {"nafnet", "nafnet/NAFNet-GoPro-width64"},
      {"nafnet", "nafnet/NAFNet-SIDD-width32"},
      {"nafnet", "nafnet/NAFNet-SIDD-width64"},
      {"retinexformer", "retinexformer/LOL_v1"},
      {"scunet", "scunet/scunet_color_real_psnr"},
      {"scunet", "scunet/scunet_gray_25"},
      {"plksr", "plksr/PLKSR_X4_DF2K"},
      {"safmn", "safmn/SAFMN_DF2K_x4"},
      {"span", "span/spanx2_ch48"},
      {"span", "span/spanx2_ch52"},
      {"span", "span/spanx4_ch48"},
      {"span", "span/spanx4_ch52"},
      {"uformer", "uformer/Uformer_B"},
      {"upcunet", "realcugan/up2x-latest-no-denoise"},
      {"upcunet", "realcugan/up3x-latest-no-denoise"},
      {"upcunet", "realcugan/up4x-latest-no-denoise"},
      {"rrdbnet", "rrdbnet/BSRGAN"},
      {"rrdbnet", "rrdbnet/BSRGANx2"},
      {"rrdbnet", "rrdbnet/ESRGAN_x4_old_arch"},
      {"rrdbnet", "rrdbnet/RealESRGAN_x2plus"},
      {"rrdbnet", "rrdbnet/RealESRGAN_x4plus"},
      {"rrdbnet", "rrdbnet/RealESRGAN_x4plus_anime_6B"},
      {"siggraph17", "siggraph17/siggraph17-df00044c"},
      {"srcnn", "srcnn/srcnn_x3"},
      {"srvgg", "srvgg/realesr-animevideov3"},
      {"srvgg", "srvgg/realesr-general-x4v3"},
      {"swinir", "swinir/001_classicalSR_DF2K_s64w8_SwinIR-M_x2"},
      {"swinir", "swinir/001_classicalSR_DF2K_s64w8_SwinIR-M_x3"},
      {"swinir", "swinir/001_classicalSR_DF2K_s64w8_SwinIR-M_x4"},
      {"swinir", "swinir/001_classicalSR_DIV2K_s48w8_SwinIR-M_x4"},
      {"swinir", "swinir/002_lightweightSR_DIV2K_s64w8_SwinIR-S_x2"},
      {"swinir", "swinir/002_lightweightSR_DIV2K_s64w8_SwinIR-S_x3"},
      {"swinir", "swinir/002_lightweightSR_DIV2K_s64w8_SwinIR-S_x4"},
      {"swinir", "swinir/003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN"},
      {"swinir", "swinir/003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_GAN"},
      {"swinir", "swinir/004_grayDN_DFWB_s128w8_SwinIR-M_noise25"},
      {"swinir", "swinir/005_colorDN_DFWB_s128w8_SwinIR-M_noise25"},
      {"swinir", "swinir/006_CAR_DFWB_s126w7_SwinIR-M_jpeg40"},
      {"swinir", "swinir/006_colorCAR_DFWB_s126w7_SwinIR-M_jpeg40"},
      {"zero_dce", "zero_dce/Epoch99"},
  };
  for (const Manifest& manifest : kManifests) {
    CAPTURE(manifest.name);
    const std::string path = shared_path("goldens/" + manifest.name + ".keys.json");
    if (!require_data(path)) continue;
    const Json json = Json::parse(read_file(path));
    const Checkpoint checkpoint = fill_checkpoint(path);
    const Model model = load_model(checkpoint);  // which checks every key and shape
    CHECK(model.name == manifest.network);
    std::int64_t derived = 0;  // parameters that other parameters tell
    for (const auto& [key, entry] : json.at("keys").items()) {
      if (checkpoint.tensors.contains(key) || entry.at("kind") != "param") continue;
      std::int64_t count = 1;
      for (const Json& extent : entry.at("shape")) count *= extent.get<std::int64_t>();
      derived += count;
    }
    CHECK(model.parameters + derived == json.at("total_parameters").get<std::int64_t>());
    // Counters, and what is worked out anew, are not in this checkpoint.
    CHECK(model.keys.size() == checkpoint.tensors.size());

    Checkpoint silent = checkpoint;
    silent.metadata.clear();
    const Identified identified = identify(silent);
    for (const auto& [name, value] : json.at("hyperparameters").items()) {
      CAPTURE(name);
      if (name == "img_size") continue;           // of training crops: pictures may have any size
      if (name == "decoder_load_path") continue;  // where training began
      std::string official = name;
      for (const auto& [alias, meant] : identified.architecture->aliases) {
        if (alias == name) official = meant;
      }
      const Recognised& told = identified.recognised;
      if (told.fixed.contains(official)) {
        CHECK(told.fixed.at(official) == value);
      } else {
        REQUIRE(told.defaults.contains(official));
        const Json& otherwise = told.defaults.at(official);
        CHECK((otherwise.is_null() || otherwise == value));
      }
    }
  }
}

TEST_CASE("registry: the key `pro` tells Real-CUGAN's range, whatever its value") {
  const std::string path = shared_path("goldens/realcugan/up2x-latest-no-denoise.keys.json");
  if (!require_data(path)) return;
  Checkpoint checkpoint = fill_checkpoint(path);
  CHECK(load_model(checkpoint).hyperparameters.at("pro") == false);
  CHECK(load_model(checkpoint, {{"pro", true}}).hyperparameters.at("pro") == true);
  checkpoint.tensors["pro"] = make_stored_tensor({1}, {0.0f});
  const Model model = load_model(checkpoint);
  CHECK(model.hyperparameters.at("pro") == true);
  CHECK(model.parameters == 1284598);
}

TEST_CASE("registry: an unknown checkpoint is refused in a short line with its first keys") {
  const std::string message = refusal(checkpoint_of({{"backbone.weight", {1}}}));
  CHECK(mentions(message, {"net.safetensors", "just the keys backbone.weight", "mend models"}));
  const std::string long_key(5000, 'k');
  const std::string many =
      refusal(checkpoint_of({{"a", {1}}, {"b", {1}}, {"c", {1}}, {"d", {1}}, {long_key, {1}}}));
  CHECK(mentions(many, {"these 5 keys: a, b, c ..."}));
  CHECK(refusal(checkpoint_of({{long_key, {1}}})).size() < 300);
}

TEST_CASE("registry: a hyper-parameter that contradicts the shapes is refused") {
  CHECK(mentions(refusal(tiny_edsr(), {{"num_feat", 64}}),
                 {"net.safetensors", "num_feat = 64", "the shapes say 2"}));
  Checkpoint checkpoint = tiny_edsr();
  checkpoint.metadata["hyperparameters"] = R"({"upscale": 4})";
  CHECK(mentions(refusal(checkpoint), {"metadata says upscale = 4", "the shapes say 2"}));
}

TEST_CASE("registry: configuration is stronger than metadata, and metadata than the defaults") {
  Checkpoint checkpoint = tiny_edsr();
  CHECK(load_model(checkpoint).hyperparameters.at("res_scale") == 1.0);
  checkpoint.metadata["hyperparameters"] = R"({"res_scale": 0.1, "from_elsewhere": 3})";
  CHECK(load_model(checkpoint).hyperparameters.at("res_scale") == 0.1);
  CHECK(load_model(checkpoint, {{"res_scale", 0.2}}).hyperparameters.at("res_scale") == 0.2);
}

TEST_CASE("registry: an entry of the configuration that no network knows is a usage error") {
  CHECK(mentions(refusal<UsageError>(tiny_edsr(), {{"res_scal", 1}}),
                 {"EDSR has no hyper-parameter res_scal", "res_scale"}));
}

TEST_CASE("registry: hyper-parameters of the wrong kind are refused by name") {
  CHECK(mentions(refusal(tiny_edsr(), {{"res_scale", "big"}}), {"res_scale is \"big\"", "number"}));
  CHECK(mentions(refusal(tiny_edsr(), {{"rgb_mean", {0.5}}}), {"rgb_mean", "3 numbers"}));
  CHECK(
      mentions(refusal(tiny_fsrcnn(), {{"scale_factor", 2.5}}), {"scale_factor", "whole number"}));
  Checkpoint checkpoint = tiny_edsr();
  checkpoint.metadata["hyperparameters"] = "[1, 2";
  CHECK(mentions(refusal(checkpoint), {"hyperparameters", "no JSON object"}));
}

TEST_CASE("registry: what no file tells must be given") {
  CHECK(mentions(refusal(tiny_fsrcnn()), {"FSRCNN", "scale_factor", "--config"}));
  CHECK(load_model(tiny_fsrcnn(), {{"scale_factor", 3}}).traits.scale == 3);
}

TEST_CASE("registry: missing, surplus and misshaped keys are one error that names them") {
  Checkpoint checkpoint = tiny_edsr();
  checkpoint.tensors.erase("conv_last.bias");
  checkpoint.tensors["ema.weight"] = make_stored_tensor({1}, {0.5f});
  checkpoint.tensors["body.0.conv2.bias"] = make_stored_tensor({3}, {0, 0, 0});
  CHECK(mentions(refusal(checkpoint),
                 {"conv_last.bias", "ema.weight", "body.0.conv2.bias", "EDSR(", "num_feat 2"}));
}

TEST_CASE("registry: a small file that claims a huge network is refused before memory runs out") {
  // The first dense convolution alone would have 4096 x 4096 x 3 x 3 weights, 604 MB.
  CHECK(mentions(refusal(checkpoint_of({{"conv_first.weight", {4096, 3, 1, 1}},
                                        {"conv_last.weight", {3, 1, 1, 1}},
                                        {"body.0.rdb1.conv1.weight", {4096, 1, 1, 1}}})),
                 {"conv_first.weight", "[4096,", "RRDBNet("}));
}

TEST_CASE("registry: a network refuses inputs that it cannot take") {
  const Model model = load_model(tiny_edsr());
  const Tensor picture = Tensor::zeros({1, 4, 4, 3});
  CHECK(model.forward({picture}).front().shape() == Shape{1, 8, 8, 3});
  CHECK_THROWS_AS(model.forward({}), ShapeError);
  CHECK_THROWS_AS(model.forward({picture, picture}), ShapeError);
  CHECK_THROWS_AS(model.forward({Tensor::zeros({1, 4, 4, 1})}), ShapeError);
}

TEST_CASE("network_inputs: the conditions become inputs") {
  Model model = load_model(tiny_edsr());
  const Tensor picture = Tensor::full({1, 2, 3, 3}, 0.5f);
  CHECK(network_inputs(model, picture, {}).size() == 1);

  model.traits.condition = Condition::kSigma;
  const std::vector<Tensor> pair = network_inputs(model, picture, {.sigma = 0.1f});
  REQUIRE(pair.size() == 2);
  CHECK(pair[1].shape() == Shape{1, 1, 1, 1});
  CHECK(pair[1].view<const float>()(0, 0, 0, 0) == 0.1f);

  model.traits.condition = Condition::kSigmaMap;
  const Tensor with_map = network_inputs(model, picture, {.sigma = 0.1f}).front();
  CHECK(with_map.shape() == Shape{1, 2, 3, 4});
  CHECK(with_map.view<const float>()(0, 1, 2, 3) == 0.1f);

  model.traits.condition = Condition::kQuality;
  CHECK(network_inputs(model, picture, {}).size() == 1);  // blind
  const std::vector<Tensor> with_quality = network_inputs(model, picture, {.quality = 30});
  REQUIRE(with_quality.size() == 2);
  CHECK(with_quality[1].view<const float>()(0, 0, 0, 0) == doctest::Approx(0.7));

  model.traits.condition = Condition::kBlurAndSigmaMap;
  const Tensor with_blur = network_inputs(model, picture, {.sigma = 0.1f}).front();
  CHECK(with_blur.shape() == Shape{1, 2, 3, 19});
  CHECK(with_blur.view<const float>()(0, 1, 2, 16) == doctest::Approx(-0.80221349));
  CHECK_THROWS_AS(network_inputs(model, picture, {.blur = {1.0f}}), UsageError);
}

}  // namespace mend::test
