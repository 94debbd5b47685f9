#include "models/dat.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mend {
namespace {

const std::string kBlock = "layers.0.blocks.0.";

/// Whether the windows of a spatial block are shifted, by the authors' rule.
bool is_shifted(int group, int block) {
  return group % 2 == 0 ? block > 0 && (block - 2) % 4 == 0 : block % 4 == 0;
}

/// The window's sides a <= b from the buffers of a·b pixels and (2a − 1)·(2b − 1) positions; where
/// they are missing, the official ones: DAT-S alone, 180 wide and expanding by 2, has 8 x 16.
std::vector<int> recognise_split_size(const Checkpoint& checkpoint, int dim, double expansion) {
  const int pixels = extent(checkpoint, kBlock + "attn.attns.0.relative_position_index", 0);
  const int positions = extent(checkpoint, kBlock + "attn.attns.0.rpe_biases", 0);
  for (int a = 1; a * a <= pixels; ++a) {
    const int b = pixels / a;
    if (a * b == pixels && (2 * a - 1) * (2 * b - 1) == positions) return {a, b};
  }
  return {8, dim == 180 && expansion == 2 ? 16 : 32};
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const auto reconstruction = recognise_reconstruction(checkpoint);
  const int hidden = extent(checkpoint, kBlock + "ffn.fc1.weight", 0);
  const std::vector<int> depth = depths_of(checkpoint, "layers.{}.blocks.", "ffn.fc1.weight");
  const std::string last_layer = "attn.attns.0.pos.pos3.2.weight";
  if (!reconstruction || hidden == 0 || !has(checkpoint, kBlock + last_layer)) return std::nullopt;
  std::vector<int> heads;
  for (std::size_t i = 0; i < depth.size(); ++i) {
    const std::string blocks = fmt::format("layers.{}.blocks.", i);
    const int of_channels = extent(checkpoint, blocks + "1.attn.temperature", 0);
    // Of pixels half as many, rounded down, in upright and in lying windows.
    heads.push_back(of_channels > 0 ? of_channels
                                    : 2 * extent(checkpoint, blocks + "0." + last_layer, 0));
  }
  const int dim = reconstruction->embed_dim;
  const double expansion = shortest_ratio({{hidden, dim}});
  return Recognised{.fixed = {{"upscale", reconstruction->upscale},
                              {"in_chans", reconstruction->in_chans},
                              {"embed_dim", dim},
                              {"depth", depth},
                              {"num_heads", heads},
                              {"qkv_bias", has(checkpoint, kBlock + "attn.qkv.bias")},
                              {"upsampler", reconstruction->upsampler},
                              {"resi_connection", recognise_resi_connection(checkpoint)}},
                    .defaults = {{"split_size", recognise_split_size(checkpoint, dim, expansion)},
                                 {"expansion_factor", expansion},
                                 {"num_feat", reconstruction->num_feat},
                                 {"img_range", 1.0},
                                 {"img_size", 64}}};
}

Built make(const Scope& p, const Json& hyper) {
  DATHyper h;
  h.reconstruction = reconstruction_hyper(hyper);
  integer(hyper, "embed_dim", 32, 4096);  // the smallest layers have a 32nd of it
  h.depth = integers(hyper, "depth", 1, 1024);
  h.num_heads = integers(hyper, "num_heads", 2, 4096, h.depth.size());
  h.split_size = integers(hyper, "split_size", 1, 64, 2);
  h.expansion_factor = ratio(hyper, "expansion_factor");
  h.resi_connection = choice(hyper, "resi_connection", {"1conv", "3conv"});
  h.qkv_bias = flag(hyper, "qkv_bias");
  h.img_range = number(hyper, "img_range");
  Traits traits(TilePolicy::kWholeImage);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {"upscale"};
  traits.scale = h.reconstruction.upscale;
  traits.input_channels = h.reconstruction.in_chans;
  traits.colour = traits.input_channels == 1 ? Colour::kGray : Colour::kRgb;
  return {traits, image_to_image(DAT(p, h))};
}

}  // namespace

SGFN::SGFN(const Scope& p, int dim, int hidden)
    : fc1(p / "fc1", dim, hidden),
      sg_norm(p / "sg" / "norm", hidden / 2),
      sg_conv(p / "sg" / "conv", hidden / 2, hidden / 2, 3, {.groups = hidden / 2}),
      fc2(p / "fc2", hidden / 2, dim) {}

Tensor SGFN::operator()(const Tensor& x) const {
  const Tensor both = gelu(fc1(x));
  const int half = both.shape().c / 2;
  return fc2(slice_channels(both, 0, half) * sg_conv(sg_norm(slice_channels(both, half, half))));
}

AdaptiveInteraction::AdaptiveInteraction(const Scope& p, int dim)
    : dwconv_0(p / "dwconv" / 0, dim, dim, 3, {.groups = dim}),
      dwconv_1(p / "dwconv" / 1, dim),
      channel_1(p / "channel_interaction" / 1, dim, dim / 8, 1),
      channel_2(p / "channel_interaction" / 2, dim / 8),
      channel_4(p / "channel_interaction" / 4, dim / 8, dim, 1),
      spatial_0(p / "spatial_interaction" / 0, dim, dim / 16, 1),
      spatial_1(p / "spatial_interaction" / 1, dim / 16),
      spatial_3(p / "spatial_interaction" / 3, dim / 16, 1, 1) {}

Tensor AdaptiveInteraction::channel_gate(const Tensor& x) const {
  return sigmoid(channel_4(gelu(channel_2(channel_1(global_average_pool(x))))));
}

Tensor AdaptiveInteraction::spatial_gate(const Tensor& x) const {
  return sigmoid(spatial_3(gelu(spatial_1(spatial_0(x)))));
}

RectangleAttention::RectangleAttention(const Scope& p, int dim, int heads, int window_h,
                                       int window_w, bool shifted)
    : pos(p / "pos", dim / 4 / 4, heads, window_h, window_w),
      call{.window_h = window_h,
           .window_w = window_w,
           .shift_h = shifted ? window_h / 2 : 0,
           .shift_w = shifted ? window_w / 2 : 0,
           .heads = heads,
           .scale = static_cast<float>(1.0 / std::sqrt(dim / heads)),
           .mask = shifted ? WindowMask::kMinus100 : WindowMask::kNone} {
  p.ignore("rpe_biases");
  p.ignore("relative_position_index");
}

Tensor RectangleAttention::operator()(const Tensor& q, const Tensor& k, const Tensor& v) const {
  const Tensor index = relative_position_index(call.window_h, call.window_w);
  return apply(call, {q, k, v, apply(op::GatherBias{}, {pos(), index})});
}

AdaptiveSpatialAttention::AdaptiveSpatialAttention(const Scope& p, int heads, bool shifted,
                                                   const DATHyper& h)
    : multiple(std::max(h.split_size[0], h.split_size[1])),
      qkv(p / "qkv", h.reconstruction.embed_dim, 3 * h.reconstruction.embed_dim, h.qkv_bias),
      upright(p / "attns" / 0, h.reconstruction.embed_dim / 2, heads / 2, h.split_size[0],
              h.split_size[1], shifted),
      lying(p / "attns" / 1, h.reconstruction.embed_dim / 2, heads / 2, h.split_size[1],
            h.split_size[0], shifted),
      interaction(p, h.reconstruction.embed_dim),
      proj(p / "proj", h.reconstruction.embed_dim, h.reconstruction.embed_dim) {
  p.ignore("attn_mask_0");  // of training crops; the attention knows where windows meet
  p.ignore("attn_mask_1");
}

Tensor AdaptiveSpatialAttention::operator()(const Tensor& x) const {
  const auto [n, h, w, dim] = x.shape();
  const int half = dim / 2;
  const Tensor all = qkv(x);
  const Tensor padded = pad_to_multiple(all, multiple, PadMode::kConstant);
  const auto part = [&](int which, int first) {
    return slice_channels(padded, which * dim + first, half);
  };
  const Tensor attended = crop(concat({upright(part(0, 0), part(1, 0), part(2, 0)),
                                       lying(part(0, half), part(1, half), part(2, half))}),
                               0, 0, h, w);
  const Tensor convolved = interaction.convolve(slice_channels(all, 2 * dim, dim));
  return proj(attended * interaction.channel_gate(convolved) +
              convolved * interaction.spatial_gate(attended));
}

AdaptiveChannelAttention::AdaptiveChannelAttention(const Scope& p, int heads, const DATHyper& h)
    : qkv(p / "qkv", h.reconstruction.embed_dim, 3 * h.reconstruction.embed_dim, h.qkv_bias),
      temperature(p.vector("temperature", heads)),
      interaction(p, h.reconstruction.embed_dim),
      proj(p / "proj", h.reconstruction.embed_dim, h.reconstruction.embed_dim),
      call{.heads = heads} {}

Tensor AdaptiveChannelAttention::operator()(const Tensor& x) const {
  const int dim = x.shape().c;
  const Tensor all = qkv(x);
  const Tensor q = slice_channels(all, 0, dim);
  const Tensor k = slice_channels(all, dim, dim);
  const Tensor v = slice_channels(all, 2 * dim, dim);
  const Tensor attended = apply(call, {q, k, v, temperature});
  const Tensor convolved = interaction.convolve(v);
  return proj(attended * interaction.spatial_gate(convolved) +
              convolved * interaction.channel_gate(attended));
}

DATGroup::DATGroup(const Scope& p, int group, const DATHyper& hyper)
    : conv(p / "conv", hyper.reconstruction.embed_dim, hyper.resi_connection) {
  const int heads = hyper.num_heads[group];
  for (int i = 0; i < hyper.depth[group]; ++i) {
    if (i % 2 == 0) {
      spatial.emplace_back(p / "blocks" / i, hyper, heads, is_shifted(group, i));
    } else {
      channel.emplace_back(p / "blocks" / i, hyper, heads);
    }
  }
}

Tensor DATGroup::operator()(const Tensor& x) const {
  Tensor y = x;
  for (std::size_t i = 0; i < spatial.size(); ++i) {
    y = spatial[i](y);
    if (i < channel.size()) y = channel[i](y);
  }
  return x + conv(y);
}

DAT::DAT(const Scope& p, const DATHyper& hyper)
    : img_range(hyper.img_range),
      mean(picture_mean(hyper.reconstruction.in_chans)),
      conv_first(p / "conv_first", hyper.reconstruction.in_chans, hyper.reconstruction.embed_dim),
      before_RG(p / "before_RG" / 1, hyper.reconstruction.embed_dim),
      norm(p / "norm", hyper.reconstruction.embed_dim),
      conv_after_body(p / "conv_after_body", hyper.reconstruction.embed_dim, hyper.resi_connection),
      reconstruction(p, hyper.reconstruction) {
  for (int i = 0; i < static_cast<int>(hyper.depth.size()); ++i) {
    layers.emplace_back(p / "layers" / i, i, hyper);
  }
}

Tensor DAT::operator()(const Tensor& x) const {
  const Tensor shallow = conv_first((x - mean) * img_range);
  Tensor deep = before_RG(shallow);
  for (const DATGroup& layer : layers) deep = layer(deep);
  const Tensor features = shallow + conv_after_body(norm(deep));
  return reconstruction(features) * (1 / img_range) + mean;
}

Architecture dat() {
  return {.name = "dat",
          .title = "DAT",
          .paper = "Chen et al. 2023, arXiv:2308.03364",
          .signature = "layers.0.blocks.0.attn.attns.0.pos.pos3.2.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
