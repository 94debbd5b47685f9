// Face networks of a few kilobytes, as tiny_networks.h has others.
#pragma once

#include <string>

#include "tests/apps/tiny_networks.h"

namespace mend::test {

constexpr int kTinyFace = 32;  ///< pixels a side that both take

/// GFPGAN for 32 x 32 pixels with 8 channels in its decoder.
inline TinyNetwork tiny_gfpgan() {
  constexpr int kStyle = 8, kUnet = 4, kDecoder = 8, kLevels = 3;
  TinyNetwork net;
  const auto block = [&](const std::string& name) {
    net.conv(name + ".conv1", kUnet, kUnet).conv(name + ".conv2", kUnet, kUnet);
    net.conv(name + ".skip", kUnet, kUnet, 1, 0.5, false);
  };
  const auto modulated = [&](const std::string& name, int out, int kernel) {
    net.put(name + ".weight", {1, out, kDecoder, kernel, kernel}, 0, 0.3);
    net.put(name + ".modulation.weight", {kDecoder, kStyle}, 0, 0.1);
    net.put(name + ".modulation.bias", {kDecoder}, 1, 0.2);
  };
  const auto style_conv = [&](const std::string& name) {
    modulated(name + ".modulated_conv", kDecoder, 3);
    net.put(name + ".weight", {1}, 0.1, 0).put(name + ".bias", {1, kDecoder, 1, 1}, 0, 0.1);
  };
  const auto to_rgb = [&](const std::string& name) {
    modulated(name + ".modulated_conv", 3, 1);
    net.put(name + ".bias", {1, 3, 1, 1}, 0, 0.1);
  };
  const auto noise = [&](int index, int size) {
    net.put("stylegan_decoder.noises.noise" + std::to_string(index), {1, 1, size, size}, 0, 1);
  };
  const std::string decoder = "stylegan_decoder.";
  net.conv("conv_body_first", 3, kUnet, 1).conv("final_conv", kUnet, kUnet);
  net.put("final_linear.weight", {8 * kStyle, 16 * kUnet}, 0, 0.1);
  net.put("final_linear.bias", {8 * kStyle}, 0, 0.1);
  net.put(decoder + "style_mlp.1.weight", {kStyle, kStyle}, 0, 0.1);
  net.put(decoder + "style_mlp.1.bias", {kStyle}, 0, 0.1);
  net.put(decoder + "constant_input.weight", {1, kDecoder, 4, 4}, 0, 1);
  style_conv(decoder + "style_conv1");
  to_rgb(decoder + "to_rgb1");
  noise(0, 4);
  for (int i = 0; i < kLevels; ++i) {
    const std::string level = std::to_string(i);
    block("conv_body_down." + level);
    block("conv_body_up." + level);
    net.conv("toRGB." + level, kUnet, 3, 1);
    for (const std::string name : {"condition_scale.", "condition_shift."}) {
      net.conv(name + level + ".0", kUnet, kUnet).conv(name + level + ".2", kUnet, kUnet);
    }
    style_conv(decoder + "style_convs." + std::to_string(2 * i));
    style_conv(decoder + "style_convs." + std::to_string(2 * i + 1));
    to_rgb(decoder + "to_rgbs." + level);
    noise(2 * i + 1, 8 << i);
    noise(2 * i + 2, 8 << i);
  }
  return net;
}

/// The hyper-parameters of tiny_codeformer that its shapes do not tell.
inline const char* const kTinyCodeFormer = R"({"n_head": 2, "norm_groups": 2})";

/// CodeFormer for 32 x 32 pixels: two levels of 4 channels, the coarse one with attention.
inline TinyNetwork tiny_codeformer() {
  constexpr int kWidth = 4, kEmbedding = 6, kTokens = 8, kCodes = 10;
  TinyNetwork net;
  const auto norm = [&](const std::string& name, int channels) {
    net.put(name + ".weight", {channels}, 1, 0.2).put(name + ".bias", {channels}, 0, 0.1);
  };
  const auto res = [&](const std::string& name, int in) {
    norm(name + ".norm1", in);
    norm(name + ".norm2", kWidth);
    net.conv(name + ".conv1", in, kWidth).conv(name + ".conv2", kWidth, kWidth);
    if (in != kWidth) net.conv(name + ".conv_out", in, kWidth, 1);
  };
  const auto attention = [&](const std::string& name) {
    norm(name + ".norm", kWidth);
    for (const char* part : {".q", ".k", ".v", ".proj_out"}) {
      net.conv(name + part, kWidth, kWidth, 1);
    }
  };
  const auto linear = [&](const std::string& name, int in, int out) {
    net.put(name + ".weight", {out, in}, 0, 0.5).put(name + ".bias", {out}, 0, 0.1);
  };
  const auto block = [](const char* part, int number) {
    return std::string(part) + ".blocks." + std::to_string(number);
  };
  // 0 conv, 1 res, 2 down, 3 res, 4 attention, 5 res, 6 attention, 7 res, 8 norm, 9 conv
  net.conv(block("encoder", 0), 3, kWidth).conv(block("encoder", 2) + ".conv", kWidth, kWidth);
  for (const int i : {1, 3, 5, 7}) res(block("encoder", i), kWidth);
  for (const int i : {4, 6}) attention(block("encoder", i));
  norm(block("encoder", 8), kWidth);
  net.conv(block("encoder", 9), kWidth, kEmbedding);
  // 0 conv, 1 res, 2 attention, 3 res, 4 res, 5 attention, 6 up, 7 res, 8 norm, 9 conv
  net.conv(block("generator", 0), kEmbedding, kWidth);
  net.conv(block("generator", 6) + ".conv", kWidth, kWidth);
  for (const int i : {1, 3, 4, 7}) res(block("generator", i), kWidth);
  for (const int i : {2, 5}) attention(block("generator", i));
  norm(block("generator", 8), kWidth);
  net.conv(block("generator", 9), kWidth, 3);
  net.put("position_emb", {256, kTokens}, 0, 0.5);
  net.put("quantize.embedding.weight", {kCodes, kEmbedding}, 0, 1);
  linear("feat_emb", kEmbedding, kTokens);
  net.put("ft_layers.0.self_attn.in_proj_weight", {3 * kTokens, kTokens}, 0, 0.5);
  net.put("ft_layers.0.self_attn.in_proj_bias", {3 * kTokens}, 0, 0.1);
  linear("ft_layers.0.self_attn.out_proj", kTokens, kTokens);
  linear("ft_layers.0.linear1", kTokens, 2 * kTokens);
  linear("ft_layers.0.linear2", 2 * kTokens, kTokens);
  for (const char* name : {"ft_layers.0.norm1", "ft_layers.0.norm2", "idx_pred_layer.0"}) {
    norm(name, kTokens);
  }
  net.put("idx_pred_layer.1.weight", {kCodes, kTokens}, 0, 1);
  res("fuse_convs_dict.32.encode_enc", 2 * kWidth);
  for (const char* branch : {"scale", "shift"}) {
    for (const char* layer : {".0", ".2"}) {
      net.conv(std::string("fuse_convs_dict.32.") + branch + layer, kWidth, kWidth);
    }
  }
  return net;
}

}  // namespace mend::test
