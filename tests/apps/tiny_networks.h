// Checkpoints of a few kilobytes that the program recognises and runs in no time. Their weights are
// random; where the network adds its input to its output, the result looks like the picture.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tests/support/golden.h"
#include "weights/checkpoint.h"
#include "weights/safetensors.h"

namespace mend::test {

class TinyNetwork {
 public:
  /// Declares a convolution, weight [out,in,kernel,kernel] and bias [out]. `gain` 1 keeps the
  /// variance of its input.
  TinyNetwork& conv(const std::string& name, int in, int out, int kernel = 3, double gain = 1,
                    bool bias = true) {
    const double bound = gain * std::sqrt(3.0 / (in * kernel * kernel));
    put(name + ".weight", {out, in, kernel, kernel}, 0, bound);
    if (bias) put(name + ".bias", {out}, 0, 0.01);
    return *this;
  }
  TinyNetwork& prelu(const std::string& name, int channels) {
    return put(name + ".weight", {channels}, 0.2, 0.1);
  }
  /// Numbers in offset ± scale.
  TinyNetwork& put(const std::string& key, const std::vector<std::int64_t>& shape, double offset,
                   double scale) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    tensors[key] = make_stored_tensor(shape, procedural_fill(key, 7, offset, scale, count));
    return *this;
  }
  /// Makes the element `index` of a tensor `value`.
  TinyNetwork& set(const std::string& key, std::size_t index, float value) {
    std::vector<float> values = tensors.at(key).to_f32();
    values.at(index) = value;
    tensors[key] = make_stored_tensor(tensors.at(key).shape, values);
    return *this;
  }
  /// Writes safetensors; returns `path`.
  std::string write(const std::string& path, const std::string& hyperparameters = "") const {
    std::map<std::string, std::string> metadata;
    if (!hyperparameters.empty()) metadata["hyperparameters"] = hyperparameters;
    write_safetensors(path, tensors, metadata);
    return path;
  }

  std::map<std::string, StoredTensor> tensors;
};

inline TinyNetwork tiny_srvgg(int upscale = 2, int features = 8, int convs = 2, int channels = 3) {
  TinyNetwork net;
  net.conv("body.0", channels, features).prelu("body.1", features);
  for (int i = 1; i <= convs; ++i) {
    net.conv("body." + std::to_string(2 * i), features, features, 3, 1.3);
    net.prelu("body." + std::to_string(2 * i + 1), features);
  }
  return net.conv("body." + std::to_string(2 * convs + 2), features, channels * upscale * upscale,
                  3, 0.3);
}

/// DnCNN of 1 or 3 channels; not of 7 layers, which are IRCNN's.
inline TinyNetwork tiny_dncnn(int channels = 3, int features = 8, int layers = 4) {
  TinyNetwork net;
  net.conv("model.0", channels, features);
  for (int i = 1; i < layers - 1; ++i) {
    net.conv("model." + std::to_string(2 * i), features, features, 3, 1.4);
  }
  return net.conv("model." + std::to_string(2 * layers - 2), features, channels, 3, 0.3);
}

inline TinyNetwork tiny_ffdnet() {
  return TinyNetwork().conv("model.0", 13, 8).conv("model.2", 8, 8, 3, 1.4).conv("model.4", 8, 12);
}

inline TinyNetwork tiny_edsr(int features = 8, int blocks = 1) {
  TinyNetwork net;
  net.conv("conv_first", 3, features, 3, 0.02);  // its input goes up to 255
  for (int i = 0; i < blocks; ++i) {
    const std::string block = "body." + std::to_string(i);
    net.conv(block + ".conv1", features, features).conv(block + ".conv2", features, features);
  }
  net.conv("conv_after_body", features, features).conv("upsample.0", features, 4 * features);
  return net.conv("conv_last", features, 3, 3, 20);
}

inline TinyNetwork tiny_rrdbnet(int features = 8, int growth = 4, int blocks = 1) {
  TinyNetwork net;
  net.conv("conv_first", 3, features, 3, 2);
  for (int i = 0; i < blocks; ++i) {
    for (int rdb = 1; rdb <= 3; ++rdb) {
      const std::string block = "body." + std::to_string(i) + ".rdb" + std::to_string(rdb);
      for (int k = 0; k < 5; ++k) {
        net.conv(block + ".conv" + std::to_string(k + 1), features + k * growth,
                 k < 4 ? growth : features, 3, 1.3);
      }
    }
  }
  for (const char* name : {"conv_body", "conv_up1", "conv_up2", "conv_hr"}) {
    net.conv(name, features, features, 3, 1.3);
  }
  return net.conv("conv_last", features, 3);
}

/// Networks of luma, upscaling by themselves (ESPCN, FSRCNN) or after bicubic (SRCNN, VDSR).
inline TinyNetwork tiny_espcn(int upscale = 3) {
  return TinyNetwork()
      .conv("first_part.0", 1, 8, 5)
      .conv("first_part.2", 8, 6)
      .conv("last_part.0", 6, upscale * upscale);
}
inline TinyNetwork tiny_fsrcnn() {  // its scale comes as a hyper-parameter
  return TinyNetwork()
      .conv("first_part.0", 1, 8, 5)
      .prelu("first_part.1", 8)
      .conv("mid_part.0", 8, 4, 1)
      .prelu("mid_part.1", 4)
      .conv("mid_part.2", 4, 4)
      .prelu("mid_part.3", 4)
      .conv("mid_part.4", 4, 8, 1)
      .prelu("mid_part.5", 8)
      .put("last_part.weight", {8, 1, 9, 9}, 0, 0.1)
      .put("last_part.bias", {1}, 0.4, 0.01);
}
inline TinyNetwork tiny_srcnn() {
  return TinyNetwork().conv("conv1", 1, 8, 9).conv("conv2", 8, 4, 5).conv("conv3", 4, 1, 5);
}
inline TinyNetwork tiny_vdsr() {
  return TinyNetwork()
      .conv("input", 1, 8, 3, 1, false)
      .conv("residual_layer.0.conv", 8, 8, 3, 1, false)
      .conv("output", 8, 1, 3, 0.3, false);
}

}  // namespace mend::test
