#include "models/gfpgan.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "kernels/normalization/normalization.h"
#include "kernels/rearrange/rearrange.h"

namespace mend {
namespace {

const std::string kDecoder = "stylegan_decoder.";

/// Widths of all resolutions, 4 first, of the U-Net and of the decoder.
struct Widths {
  std::vector<int> unet, decoder;
};

Widths read_widths(const Checkpoint& checkpoint, int levels) {
  Widths widths{{extent(checkpoint, "final_conv.weight", 0)},
                {extent(checkpoint, kDecoder + "constant_input.weight", 1)}};
  for (int i = 0; i < levels; ++i) {
    widths.unet.push_back(extent(checkpoint, fmt::format("toRGB.{}.weight", i), 1));
    widths.decoder.push_back(
        extent(checkpoint, fmt::format("{}to_rgbs.{}.modulated_conv.weight", kDecoder, i), 2));
  }
  return widths;
}

bool gives(const StyleGan2Hyper& hyper, const Widths& widths) {
  for (std::size_t i = 0; i < widths.unet.size(); ++i) {
    const int size = 4 << i;
    if (hyper.channels(size) != widths.decoder[i]) return false;
    if (hyper.channels(size, 0.5) != widths.unet[i]) return false;
  }
  return true;
}

/// A multiplier and a narrowness with these widths, the official ones if they do. Without any, what
/// is nearest: the shapes will then be refused one by one.
StyleGan2Hyper explain(const Widths& widths) {
  StyleGan2Hyper hyper;
  for (const int multiplier : {2, 1, 3, 4, 6, 8, 16}) {
    hyper.channel_multiplier = multiplier;
    hyper.narrow = 1;
    std::vector<std::pair<int, int>> pairs;
    for (std::size_t i = 0; i < widths.unet.size(); ++i) {
      const int full = hyper.channels(4 << i);
      pairs.emplace_back(widths.decoder[i], full);
      pairs.emplace_back(widths.unet[i], full / 2);
    }
    hyper.narrow = shortest_ratio(pairs);
    if (gives(hyper, widths)) return hyper;
  }
  hyper.channel_multiplier = 2;
  return hyper;
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int style =
      extent(checkpoint, kDecoder + "style_conv1.modulated_conv.modulation.weight", 1);
  const int levels = static_cast<int>(indices(checkpoint, "toRGB.").size());
  const auto linear = checkpoint.tensors.find("final_linear.bias");
  const Widths widths = read_widths(checkpoint, levels);
  const auto is_missing = [](int width) { return width == 0; };
  if (style == 0 || levels < 1 || levels > 8 || linear == checkpoint.tensors.end() ||
      !has(checkpoint, kDecoder + "style_conv1.bias") ||
      std::any_of(widths.unet.begin(), widths.unet.end(), is_missing) ||
      std::any_of(widths.decoder.begin(), widths.decoder.end(), is_missing)) {
    return std::nullopt;
  }
  const int mlp = static_cast<int>(indices(checkpoint, kDecoder + "style_mlp.").size());
  const int scale = extent(checkpoint, "condition_scale.0.2.weight", 0);
  const StyleGan2Hyper hyper = explain(widths);
  return Recognised{.fixed = {{"out_size", 4 << levels},
                              {"num_style_feat", style},
                              {"num_mlp", mlp},
                              {"different_w", linear->second.elements() != style},
                              {"sft_half", scale == widths.unet[1]}},
                    // Several of the first two give the same widths.
                    .defaults = {{"channel_multiplier", hyper.channel_multiplier},
                                 {"narrow", hyper.narrow},
                                 {"input_is_latent", true},
                                 {"fix_decoder", false}}};
}

/// The transform multiplies features of the decoder and of the U-Net channel by channel.
void check_widths(const Gfpgan::Hyper& hyper) {
  for (int level = 0; level < hyper.style.levels(); ++level) {
    const int size = 8 << level;
    const int decoder = hyper.style.channels(size), unet = hyper.unet_channels(size);
    if (decoder == 2 * unet) continue;
    throw CheckpointError(
        fmt::format("GFPGANv1Clean: at {} pixels the decoder has {} channels, which is not twice "
                    "the {} of the U-Net; check channel_multiplier and narrow",
                    size, decoder, unet));
  }
}

Built make(const Scope& p, const Json& hyper) {
  Gfpgan::Hyper h;
  h.style.out_size = integer(hyper, "out_size", 8, 1024);
  h.style.num_style_feat = integer(hyper, "num_style_feat", 1, 4096);
  h.style.num_mlp = integer(hyper, "num_mlp", 0, 1024);
  h.style.channel_multiplier = integer(hyper, "channel_multiplier", 1, 16);
  h.style.narrow = ratio(hyper, "narrow", 1.0 / 512, 8);
  h.style.sft_half = flag(hyper, "sft_half");
  h.different_w = flag(hyper, "different_w");
  h.input_is_latent = flag(hyper, "input_is_latent");
  flag(hyper, "fix_decoder");  // of training
  check_widths(h);
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"face"};
  traits.smallest = traits.working_size = h.style.out_size;
  traits.black = -1;
  for (int i = 1; i <= h.style.levels(); ++i) traits.outputs.push_back(fmt::format("output{}", i));
  traits.tiles_change = "the network takes pictures of one size";
  const auto net = std::make_shared<const Gfpgan>(p, h);
  return {traits, [net](const std::vector<Tensor>& inputs) {
            const Shape& shape = inputs[0].shape();
            const int side = net->hyper.style.out_size;
            if (shape.h != side || shape.w != side) {
              throw ShapeError(
                  fmt::format("GFPGANv1Clean: input is {}, but this one takes {} x {} pixels",
                              to_string(shape), side, side));
            }
            return (*net)(inputs[0]);
          }};
}

int style_numbers(const Gfpgan::Hyper& hyper) {
  const int layers = hyper.different_w ? 2 * hyper.style.levels() + 2 : 1;
  return layers * hyper.style.num_style_feat;
}

}  // namespace

Gfpgan::Gfpgan(const Scope& p, const Hyper& given)
    : hyper(given),
      conv_body_first(p / "conv_body_first", 3, given.unet_channels(given.style.out_size), 1),
      final_conv(p / "final_conv", given.unet_channels(4), given.unet_channels(4)),
      final_linear_weight(restored_kernel(p / "final_linear",
                                          {style_numbers(given), 16 * given.unet_channels(4)},
                                          style_numbers(given), given.unet_channels(4), 4)),
      final_linear_bias((p / "final_linear").vector("bias", style_numbers(given))),
      stylegan_decoder(p / "stylegan_decoder", given.style) {
  for (int i = 0; i < given.style.levels(); ++i) {
    const int size = given.style.out_size >> i;
    conv_body_down.emplace_back(p / "conv_body_down" / i, given.unet_channels(size),
                                given.unet_channels(size / 2), false);
  }
  for (int i = 0; i < given.style.levels(); ++i) {
    const int before = given.unet_channels(4 << i), width = given.unet_channels(8 << i);
    const int changed = given.style.sft_half ? width : 2 * width;
    conv_body_up.emplace_back(p / "conv_body_up" / i, before, width, true);
    toRGB.emplace_back(p / "toRGB" / i, width, 3, 1);
    condition_scale.emplace_back(p / "condition_scale" / i, width, changed);
    condition_shift.emplace_back(p / "condition_shift" / i, width, changed);
  }
}

std::vector<Tensor> Gfpgan::styles(const Tensor& codes) const {
  const int length = hyper.style.num_style_feat;
  const auto count = static_cast<std::size_t>(2 * hyper.style.levels() + 2);
  if (!hyper.different_w) {
    const Tensor style = hyper.input_is_latent
                             ? codes
                             : stylegan_decoder.mapped(apply(op::PixelNorm{.eps = 1e-8f}, {codes}));
    return std::vector<Tensor>(count, style);
  }
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(slice_channels(codes, static_cast<int>(i) * length, length));
  }
  if (hyper.input_is_latent) return all;
  // The official code norms over its dimension 1: over the layers here, not over a style's numbers.
  std::vector<Tensor> columns;
  for (const Tensor& style : all) columns.push_back(apply(op::Transpose{}, {style}));
  const Tensor normed = apply(op::PixelNorm{.eps = 1e-8f}, {concat(columns)});
  for (std::size_t i = 0; i < count; ++i) {
    const Tensor column = slice_channels(normed, static_cast<int>(i), 1);
    all[i] = stylegan_decoder.mapped(apply(op::Transpose{}, {column}));
  }
  return all;
}

std::vector<Tensor> Gfpgan::operator()(const Tensor& x) const {
  Tensor features = lrelu(conv_body_first(x));
  std::vector<Tensor> skips;  // fine to coarse
  for (const GfpganResBlock& block : conv_body_down) {
    features = block(features);
    skips.push_back(features);
  }
  features = lrelu(final_conv(features));  // [N,4,4,C]
  const Tensor codes =
      apply(op::Conv2d{.kernel_h = 4, .kernel_w = 4, .outputs = final_linear_weight.shape().n},
            {features, final_linear_weight, final_linear_bias});  // [N,1,1,styles]

  std::vector<Tensor> pictures, scales, shifts;
  for (std::size_t i = 0; i < conv_body_up.size(); ++i) {
    features = conv_body_up[i](features + skips.back());
    skips.pop_back();
    scales.push_back(condition_scale[i](features));
    shifts.push_back(condition_shift[i](features));
    pictures.push_back(toRGB[i](features));
  }
  pictures.insert(pictures.begin(), stylegan_decoder(styles(codes), scales, shifts));
  return pictures;
}

Architecture gfpgan() {
  return {.name = "gfpgan",
          .title = "GFPGANv1Clean",
          .paper = "Wang et al. 2021, arXiv:2101.04061",
          .signature = "conv_body_first.weight, stylegan_decoder.style_conv1.bias",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
