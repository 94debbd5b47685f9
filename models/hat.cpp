#include "models/hat.h"

#include <fmt/format.h>

#include <algorithm>

namespace mend {
namespace {

const std::string kGroup = "layers.0.residual_group.";
const std::string kBlock = kGroup + "blocks.0.";

/// Side of the windows that keys come from: overlap_ratio · window wider.
int key_window(const HATHyper& hyper) {
  return static_cast<int>(hyper.window_size * hyper.overlap_ratio) + hyper.window_size;
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const auto reconstruction = recognise_reconstruction(checkpoint);
  const int table = whole_root(extent(checkpoint, kBlock + "attn.relative_position_bias_table", 0));
  const int overlap_table =
      whole_root(extent(checkpoint, kGroup + "overlap_attn.relative_position_bias_table", 0));
  const int hidden = extent(checkpoint, kBlock + "mlp.fc1.weight", 0);
  const int compressed = extent(checkpoint, kBlock + "conv_block.cab.0.weight", 0);
  const int squeezed = extent(checkpoint, kBlock + "conv_block.cab.3.attention.1.weight", 0);
  const int window = (table + 1) / 2;
  // The table of overlapping windows has (window + key window − 1)² entries.
  const int stick_out = overlap_table + 1 - 2 * window;
  if (!reconstruction || table % 2 == 0 || stick_out < 0 || hidden == 0 || compressed == 0 ||
      squeezed == 0) {
    return std::nullopt;
  }
  const std::vector<int> depths =
      depths_of(checkpoint, "layers.{}.residual_group.blocks.", "norm1.weight");
  std::vector<int> heads;
  for (std::size_t i = 0; i < depths.size(); ++i) {
    heads.push_back(extent(
        checkpoint,
        fmt::format("layers.{}.residual_group.blocks.0.attn.relative_position_bias_table", i), 1));
  }
  const int dim = reconstruction->embed_dim;
  const int embedded = whole_root(extent(checkpoint, "absolute_pos_embed", 1));
  return Recognised{.fixed = {{"upscale", reconstruction->upscale},
                              {"in_chans", reconstruction->in_chans},
                              {"window_size", window},
                              {"depths", depths},
                              {"embed_dim", dim},
                              {"num_heads", heads},
                              {"num_feat", reconstruction->num_feat},
                              {"upsampler", reconstruction->upsampler},
                              {"resi_connection", recognise_resi_connection(checkpoint)},
                              {"qkv_bias", has(checkpoint, kBlock + "attn.qkv.bias")},
                              {"ape", has(checkpoint, "absolute_pos_embed")},
                              {"patch_norm", has(checkpoint, "patch_embed.norm.weight")}},
                    .defaults = {{"overlap_ratio", shortest_ratio({{stick_out, window}}, 0.5)},
                                 {"compress_ratio", dim / compressed},
                                 {"squeeze_factor", dim / squeezed},
                                 {"mlp_ratio", shortest_ratio({{hidden, dim}})},
                                 {"conv_scale", 0.01},
                                 {"img_range", 1.0},
                                 {"img_size", embedded > 0 ? embedded : std::max(64, 2 * window)}}};
}

Built make(const Scope& p, const Json& hyper) {
  HATHyper h;
  h.reconstruction = reconstruction_hyper(hyper);
  h.depths = integers(hyper, "depths", 1, 1024);
  h.num_heads = integers(hyper, "num_heads", 1, 4096, h.depths.size());
  h.window_size = integer(hyper, "window_size", 1, 128);
  h.compress_ratio = integer(hyper, "compress_ratio", 1, h.reconstruction.embed_dim);
  h.squeeze_factor = integer(hyper, "squeeze_factor", 1, h.reconstruction.embed_dim);
  h.mlp_ratio = ratio(hyper, "mlp_ratio");
  h.overlap_ratio = ratio(hyper, "overlap_ratio", 0, 1);
  h.conv_scale = number(hyper, "conv_scale");
  h.resi_connection = choice(hyper, "resi_connection", {"1conv", "identity"});
  h.qkv_bias = flag(hyper, "qkv_bias");
  h.patch_norm = flag(hyper, "patch_norm");
  h.ape = flag(hyper, "ape");
  h.img_size = integer(hyper, "img_size", 1, 1 << 20);
  h.img_range = number(hyper, "img_range");
  Traits traits(TilePolicy::kWholeImage);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {"upscale"};
  traits.scale = h.reconstruction.upscale;
  traits.input_channels = h.reconstruction.in_chans;
  traits.colour = traits.input_channels == 1 ? Colour::kGray : Colour::kRgb;
  traits.smallest = h.window_size / 2 + 1;  // smaller pictures have no mirror that fills a window
  return {traits, image_to_image(HAT(p, h))};
}

}  // namespace

OCAB::OCAB(const Scope& p, int heads, const HATHyper& hyper)
    : norm1(p / "norm1", hyper.reconstruction.embed_dim),
      qkv(p / "qkv", hyper.reconstruction.embed_dim, 3 * hyper.reconstruction.embed_dim,
          hyper.qkv_bias),
      relative_position_bias_table(p.matrix(
          "relative_position_bias_table",
          (hyper.window_size + key_window(hyper) - 1) * (hyper.window_size + key_window(hyper) - 1),
          heads)),
      proj(p / "proj", hyper.reconstruction.embed_dim, hyper.reconstruction.embed_dim),
      norm2(p / "norm2", hyper.reconstruction.embed_dim),
      mlp(p / "mlp", hyper.reconstruction.embed_dim, hyper.mlp_width()),
      call(square_windows(hyper.reconstruction.embed_dim, hyper.window_size, 0, heads)) {
  call.kv_window_h = call.kv_window_w = key_window(hyper);
}

Tensor OCAB::operator()(const Tensor& x) const {
  const int dim = x.shape().c;
  const Tensor all = qkv(norm1(x));
  const Tensor q = slice_channels(all, 0, dim);
  const Tensor k = slice_channels(all, dim, dim);
  const Tensor v = slice_channels(all, 2 * dim, dim);
  const Tensor index = overlapping_position_index(call.window_h, call.kv_window_h);
  const Tensor bias = apply(op::GatherBias{}, {relative_position_bias_table, index});
  const Tensor y = x + proj(apply(call, {q, k, v, bias}));
  return y + mlp(norm2(y));
}

HAT::HAT(const Scope& p, const HATHyper& hyper)
    : window_size(hyper.window_size),
      upscale(hyper.reconstruction.upscale),
      img_range(hyper.img_range),
      mean(picture_mean(hyper.reconstruction.in_chans)),
      conv_first(p / "conv_first", hyper.reconstruction.in_chans, hyper.reconstruction.embed_dim),
      norm(p / "norm", hyper.reconstruction.embed_dim),
      conv_after_body(p / "conv_after_body", hyper.reconstruction.embed_dim, hyper.resi_connection),
      reconstruction(p, hyper.reconstruction) {
  p.ignore("relative_position_index_SA");
  p.ignore("relative_position_index_OCA");
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

Tensor HAT::operator()(const Tensor& x) const {
  const Tensor whole = pad_to_multiple(x, window_size, PadMode::kReflect);
  const Tensor shallow = conv_first((whole - mean) * img_range);
  Tensor deep = patch_embed ? (*patch_embed)(shallow) : shallow;
  if (absolute_pos_embed) deep = deep + absolute_pos_embed;
  for (const RHAG& layer : layers) deep = layer(deep);
  const Tensor features = shallow + conv_after_body(norm(deep));
  const Tensor y = reconstruction(features) * (1 / img_range) + mean;
  return crop(y, 0, 0, x.shape().h * upscale, x.shape().w * upscale);
}

Architecture hat() {
  return {.name = "hat",
          .title = "HAT",
          .paper = "Chen et al. 2023, arXiv:2205.04437",
          .signature = "layers.0.residual_group.overlap_attn.relative_position_bias_table",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
