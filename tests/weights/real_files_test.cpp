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
    {"aod_net/aod_dehazer.pth", "aod_net/aod_net.safetensors", ""},
    {"dncnn_gray_s25/dncnn_25.pth", "dncnn_gray_s25/dncnn_gray_s25.safetensors", ""},
    {"ffdnet_color/ffdnet_color.pth", "ffdnet_color/ffdnet_color.safetensors", ""},
    {"hit_srf_x4/hit_srf_x4.pth", "hit_srf_x4/hit_srf_x4.safetensors", ""},
    {"iat_lol/iat_lol_v1.pth", "iat_lol/iat_lol.safetensors", ""},
    {"prenet_rain100h/prenet_rain100h.pth", "prenet_rain100h/prenet_rain100h.safetensors", ""},
    {"rlfn_x4/rlfn_x4.pth", "rlfn_x4/rlfn_x4.safetensors", ""},
    {"safmn_x4/safmn_x4.pth", "safmn_x4/safmn_x4.safetensors", ""},
    {"sci_medium/sci_medium.pt", "sci_medium/sci_medium.safetensors", ""},
    {"vdsr/vdsr_model_epoch_50.pth", "vdsr/vdsr.safetensors", ""},
    {"zero_dce/zero_dce.pth", "zero_dce/zero_dce.safetensors", ""},
    {"zero_dce/zero_dce_pp.pth", "zero_dce/zero_dce_pp.safetensors", ""},
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
    MESSAGE(twins.pickled << " " << checkpoint.format);
    check_same(checkpoint, read_checkpoint(twin));
  }
}
