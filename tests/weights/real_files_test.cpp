// Every checkpoint of the shared folder is read; the pickled ones equal their safetensors twins.
#include <doctest/doctest.h>

#include "tests/support/paths.h"
#include "weights/checkpoint.h"

using namespace mend;
using namespace mend::test;

namespace {

/// Keys, extents and values are equal, but for types: a twin may be stored in f32.
void check_same(const Checkpoint& actual, const Checkpoint& expected) {
  CHECK(actual.tensors.size() == expected.tensors.size());
  for (const auto& [key, tensor] : expected.tensors) {
    CAPTURE(key);
    const auto other = actual.tensors.find(key);
    REQUIRE(other != actual.tensors.end());
    CHECK(other->second.shape == tensor.shape);
    CHECK(other->second.to_f32() == tensor.to_f32());
  }
}

struct Twins {
  const char* pickled;
  const char* twin;
  const char* format;
};

constexpr Twins kTwins[] = {
    {"aod_net/aod_dehazer.pth", "aod_net/aod_net.safetensors", "torch legacy"},
    {"dncnn_gray_s25/dncnn_25.pth", "dncnn_gray_s25/dncnn_gray_s25.safetensors", "torch legacy"},
    {"ffdnet_color/ffdnet_color.pth", "ffdnet_color/ffdnet_color.safetensors", "torch legacy"},
    {"hit_srf_x4/hit_srf_x4.pth", "hit_srf_x4/hit_srf_x4.safetensors", "torch zip"},
    {"iat_lol/iat_lol_v1.pth", "iat_lol/iat_lol.safetensors", "torch zip"},
    {"prenet_rain100h/prenet_rain100h.pth", "prenet_rain100h/prenet_rain100h.safetensors",
     "torch legacy"},
    {"rlfn_x4/rlfn_x4.pth", "rlfn_x4/rlfn_x4.safetensors", "torch zip"},
    {"safmn_x4/safmn_x4.pth", "safmn_x4/safmn_x4.safetensors", "torch zip"},
    {"sci_medium/sci_medium.pt", "sci_medium/sci_medium.safetensors", "torch zip"},
    {"vdsr/vdsr_model_epoch_50.pth", "vdsr/vdsr.safetensors", "torch legacy"},
    {"zero_dce/zero_dce.pth", "zero_dce/zero_dce.safetensors", "torch legacy"},
    {"zero_dce/zero_dce_pp.pth", "zero_dce/zero_dce_pp.safetensors", "torch zip"},
};

}  // namespace

TEST_CASE("torch: every published .pth equals its safetensors twin") {
  for (const Twins& twins : kTwins) {
    CAPTURE(twins.pickled);
    const std::string pickled = shared_path(std::string("weights/") + twins.pickled);
    const std::string twin = shared_path(std::string("weights/") + twins.twin);
    if (!require_data(pickled) || !require_data(twin)) continue;
    Checkpoint checkpoint;
    REQUIRE_NOTHROW(checkpoint = read_checkpoint(pickled));
    CHECK(checkpoint.format == twins.format);
    check_same(checkpoint, read_checkpoint(twin));
  }
}

TEST_CASE("ncnn: the published models load, and no byte of them is left") {
  struct Model {
    const char* path;
    std::size_t tensors;
    std::int64_t parameters;
  };
  // Parameters as in the models' descriptions.
  for (const Model& model : {Model{"realesr_general_x4v3/RealESRGAN_General_x4_v3", 101, 1213296},
                             Model{"srmd_x2/srmd_x2", 24, 1511692},
                             Model{"waifu2x_cunet_x2/scale2.0x_model", 0, 1284598}}) {
    CAPTURE(model.path);
    const std::string stem = shared_path(std::string("weights/") + model.path);
    if (!require_data(stem + ".param") || !require_data(stem + ".bin")) continue;
    const Checkpoint checkpoint = read_checkpoint(stem + ".bin");
    std::int64_t parameters = 0;
    for (const auto& [key, tensor] : checkpoint.tensors) parameters += tensor.elements();
    CHECK(parameters == model.parameters);
    if (model.tensors != 0) CHECK(checkpoint.tensors.size() == model.tensors);
    CHECK(checkpoint.format == "ncnn");
    CHECK(read_checkpoint(stem + ".param").tensors.size() == checkpoint.tensors.size());
  }
}

TEST_CASE("tfjs: the published model loads, and no byte of it is left") {
  const std::string path = shared_path("weights/esrgan_slim_x4/model.json");
  if (!require_data(path)) return;
  const Checkpoint checkpoint = read_checkpoint(path);
  std::int64_t parameters = 0;
  for (const auto& [key, tensor] : checkpoint.tensors) parameters += tensor.elements();
  CHECK(checkpoint.format == "tfjs");
  CHECK(checkpoint.tensors.size() == 24);
  CHECK(parameters == 233451);
  CHECK(checkpoint.tensors.at("UPN2.weight").shape == std::vector<std::int64_t>{32, 64, 3, 3});
}
