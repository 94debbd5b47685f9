// Published checkpoints whose authors' code gave the outputs beside them.
#pragma once

#include <vector>

namespace mend::test {

/// How far outputs may be from the authors', as a part of full brightness.
inline constexpr double kReleasedTolerance = 1e-4;

struct Released {
  const char *weights, *golden, *input;
  /// The names of the outputs in the golden, in the model's order; "" is not there.
  std::vector<const char*> outputs;
  float sigma = 0;  // a second input, if not 0
};

inline const Released kReleased[] = {
    {"aod_net/aod_dehazer.pth", "aod_net", "input", {"output"}},
    {"aod_net/aod_net.safetensors", "aod_net", "input", {"output"}},
    {"dncnn3_jpeg/dncnn3_jpeg.safetensors", "dncnn3_jpeg", "input", {"output"}},
    {"dncnn_gray_s25/dncnn_25.pth", "dncnn_gray_s25", "input", {"output"}},
    {"ffdnet_color/ffdnet_color.pth", "ffdnet_color", "input", {"output_sigma25"}, 25.0f / 255},
    {"ffdnet_color/ffdnet_color.pth", "ffdnet_color", "input", {"output_sigma50"}, 50.0f / 255},
    {"opencv_sr_pb/ESPCN_x2.pb", "opencv_sr_pb", "espcn_x2.input", {"espcn_x2.output"}},
    {"opencv_sr_pb/ESPCN_x3.pb", "opencv_sr_pb", "espcn_x3.input", {"espcn_x3.output"}},
    {"opencv_sr_pb/FSRCNN_x2.pb", "opencv_sr_pb", "fsrcnn_x2.input", {"fsrcnn_x2.output"}},
    {"opencv_sr_pb/FSRCNN_x3.pb", "opencv_sr_pb", "fsrcnn_x3.input", {"fsrcnn_x3.output"}},
    {"esrgan_slim_x4/model.json", "esrgan_slim_x4", "input", {"output"}},
    {"hit_srf_x4/hit_srf_x4.pth", "hit_srf_x4", "input", {"output"}},
    {"hit_srf_x4/hit_srf_x4.safetensors", "hit_srf_x4", "input", {"output"}},
    {"iat_lol/iat_lol_v1.pth", "iat_lol", "input", {"output", "mul", "add"}},
    {"iat_lol/iat_lol.safetensors", "iat_lol", "input", {"output", "mul", "add"}},
    {"realesr_general_x4v3/RealESRGAN_General_x4_v3.bin",
     "realesr_general_x4v3",
     "input",
     {"output"}},
    {"dmphn_124/dmphn_124_f16.safetensors", "dmphn_124", "input", {"output"}},
    {"prenet_rain100h/prenet_rain100h.pth", "prenet_rain100h", "input", {"output"}},
    {"prenet_rain100h/prenet_rain100h.safetensors", "prenet_rain100h", "input", {"output"}},
    {"rlfn_x4/rlfn_x4.pth", "rlfn_x4", "input", {"output"}},
    {"safmn_x4/safmn_x4.pth", "safmn_x4", "input", {"output"}},
    {"safmn_x4/safmn_x4.safetensors", "safmn_x4", "input", {"output"}},
    {"sapnet/sapnet_f16.safetensors", "sapnet", "input", {"output"}},
    {"sci_medium/sci_medium.pt", "sci_medium", "input", {"output", "illumination"}},
    {"srmd_x2/srmd_x2.bin", "srmd_x2", "input", {"output"}},
    {"vdsr/vdsr_model_epoch_50.pth", "vdsr", "input", {"output"}},
    {"vdsr/vdsr.safetensors", "vdsr", "input", {"output"}},
    {"waifu2x_cunet_x2/scale2.0x_model.bin", "waifu2x_cunet_x2", "input", {"output"}},
    {"zero_dce/zero_dce.pth", "zero_dce", "input", {"output"}},
    {"zero_dce/zero_dce_pp.pth", "zero_dce", "input", {"output_pp"}},
};

}  // namespace mend::test
