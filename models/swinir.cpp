#include "models/swinir.h"

#include <fmt/format.h>

#include <algorithm>

namespace mend {
namespace {

/// The halo of tiles, in pixels; SwinIR-light sees 175, SwinIR-M about 260. Worst error of the
/// lightweight x2 network with random weights on a photograph, in grey levels, by halo
/// (tests/restore/seam_test.cpp): 16: 2.6, 32: 0.02, 48: 0.003. The authors' own tiles share 32.
constexpr int kOverlap = 32;

const std::string kFirstBlock = "layers.0.residual_group.blocks.0.";

/// The training crop's extent: from the mask of a shifted block if there is one. Where a file kept
/// its buffers but a second block has no mask, windows are not shifted: they covered the crop.
int recognise_img_size(const Checkpoint& checkpoint, int window) {
  const std::string second = "layers.0.residual_group.blocks.1.";
  if (const int windows = extent(checkpoint, second + "attn_mask", 0)) {
    return window * whole_root(windows);
  }
  if (const int pixels = extent(checkpoint, "absolute_pos_embed", 1)) return whole_root(pixels);
  const bool kept = has(checkpoint, second + "attn.relative_position_index");
  return kept ? window : std::max(64, 2 * window);
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const auto reconstruction = recognise_reconstruction(checkpoint);
  const int table = extent(checkpoint, kFirstBlock + "attn.relative_position_bias_table", 0);
  const int hidden = extent(checkpoint, kFirstBlock + "mlp.fc1.weight", 0);
  const bool is_hat = has(checkpoint, kFirstBlock + "conv_block.cab.0.weight");
  if (!reconstruction || is_hat || hidden == 0 || whole_root(table) % 2 == 0) return std::nullopt;
  const int window = (whole_root(table) + 1) / 2;
  const std::vector<int> depths =
      depths_of(checkpoint, "layers.{}.residual_group.blocks.", "norm1.weight");
  std::vector<int> heads;
  for (std::size_t i = 0; i < depths.size(); ++i) {
    heads.push_back(extent(
        checkpoint,
        fmt::format("layers.{}.residual_group.blocks.0.attn.relative_position_bias_table", i), 1));
  }
  return Recognised{
      .fixed = {{"upscale", reconstruction->upscale},
                {"in_chans", reconstruction->in_chans},
                {"window_size", window},
                {"depths", depths},
                {"embed_dim", reconstruction->embed_dim},
                {"num_heads", heads},
                {"upsampler", reconstruction->upsampler},
                {"resi_connection", recognise_resi_connection(checkpoint)},
                {"qkv_bias", has(checkpoint, kFirstBlock + "attn.qkv.bias")},
                {"ape", has(checkpoint, "absolute_pos_embed")},
                {"patch_norm", has(checkpoint, "patch_embed.norm.weight")}},
      // The JPEG networks, whose windows have 7 pixels, were trained with 255 times the values.
      .defaults = {{"img_range", window == 7 ? 255.0 : 1.0},
                   {"img_size", recognise_img_size(checkpoint, window)},
                   {"num_feat", reconstruction->num_feat},
                   {"mlp_ratio", shortest_ratio({{hidden, reconstruction->embed_dim}})}}};
}

Built make(const Scope& p, const Json& hyper) {
  SwinIRHyper h;
  h.reconstruction = reconstruction_hyper(hyper);
  h.depths = integers(hyper, "depths", 1, 1024);
  h.num_heads = integers(hyper, "num_heads", 1, 4096, h.depths.size());
  h.window_size = integer(hyper, "window_size", 1, 128);
  h.mlp_ratio = ratio(hyper, "mlp_ratio");
  h.resi_connection = choice(hyper, "resi_connection", {"1conv", "3conv"});
  h.qkv_bias = flag(hyper, "qkv_bias");
  h.patch_norm = flag(hyper, "patch_norm");
  h.ape = flag(hyper, "ape");
  h.img_size = integer(hyper, "img_size", 1, 1 << 20);
  h.img_range = number(hyper, "img_range");
  Traits traits(TilePolicy::kWindowAligned);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {h.img_range == 255 ? "dejpeg" : "denoise"};
  if (!h.reconstruction.upsampler.empty()) traits.tasks = {"upscale"};
  traits.scale = h.reconstruction.upscale;
  traits.input_channels = h.reconstruction.in_chans;
  traits.colour = traits.input_channels == 1 ? Colour::kGray : Colour::kRgb;
  traits.smallest = h.window_size / 2 + 1;  // smaller pictures have no mirror that fills a window
  traits.overlap = kOverlap;
  return {traits, image_to_image(SwinIR(p, h))};
}

}  // namespace

SwinIR::SwinIR(const Scope& p, const SwinIRHyper& hyper)
    : window_size(hyper.window_size),
      upscale(hyper.reconstruction.upscale),
      img_range(hyper.img_range),
      mean(picture_mean(hyper.reconstruction.in_chans)),
      conv_first(p / "conv_first", hyper.reconstruction.in_chans, hyper.reconstruction.embed_dim),
      norm(p / "norm", hyper.reconstruction.embed_dim),
      conv_after_body(p / "conv_after_body", hyper.reconstruction.embed_dim, hyper.resi_connection),
      reconstruction(p, hyper.reconstruction) {
  if (hyper.ape)
    absolute_pos_embed = position_embedding(p, hyper.img_size, hyper.reconstruction.embed_dim);
  if (hyper.patch_norm) {
    patch_embed.emplace(p / "patch_embed" / "norm", hyper.reconstruction.embed_dim);
  }
  for (std::size_t i = 0; i < hyper.depths.size(); ++i) {
    layers.emplace_back(p / "layers" / static_cast<int>(i), hyper.depths[i], hyper.num_heads[i],
                        hyper);
  }
}

Tensor SwinIR::features(const Tensor& x) const {
  const Tensor shallow = conv_first(x);
  Tensor deep = patch_embed ? (*patch_embed)(shallow) : shallow;
  if (absolute_pos_embed) deep = deep + absolute_pos_embed;
  for (const RSTB& layer : layers) deep = layer(deep);
  return shallow + conv_after_body(norm(deep));
}

Tensor SwinIR::operator()(const Tensor& x) const {
  const Tensor whole = (pad_to_multiple(x, window_size, PadMode::kReflect) - mean) * img_range;
  Tensor y = reconstruction(features(whole));
  if (reconstruction.upsampler.empty()) y = whole + y;
  y = y * (1 / img_range) + mean;
  return crop(y, 0, 0, x.shape().h * upscale, x.shape().w * upscale);
}

Architecture swinir() {
  return {.name = "swinir",
          .title = "SwinIR",
          .paper = "Liang et al. 2021, arXiv:2108.10257",
          .signature = "layers.0.residual_group.blocks.0.attn.relative_position_bias_table",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
