#include "models/uformer.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/rearrange/rearrange.h"

namespace mend {
namespace {

constexpr int kLevels = UformerHyper::kLevels;

/// The groups of blocks in the order of depths and num_heads.
std::vector<std::string> group_names() {
  std::vector<std::string> names;
  for (int i = 0; i < kLevels; ++i) names.push_back(fmt::format("encoderlayer_{}", i));
  names.push_back("conv");
  for (int i = 0; i < kLevels; ++i) names.push_back(fmt::format("decoderlayer_{}", i));
  return names;
}

/// A depthwise convolution takes one channel, a dense one as many as it gives.
std::string recognise_token_mlp(const Checkpoint& checkpoint, const std::string& path) {
  const int taken = extent(checkpoint, path + "dwconv.0.weight", 1);
  return taken == 0 ? "mlp" : taken == 1 ? "leff" : "fastleff";
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int dim = extent(checkpoint, "input_proj.proj.0.weight", 0);
  const int in = extent(checkpoint, "input_proj.proj.0.weight", 1);
  const int out = extent(checkpoint, "output_proj.proj.0.weight", 0);
  const std::string first = "encoderlayer_0.blocks.0.";
  const std::string token_mlp = recognise_token_mlp(checkpoint, first + "mlp.");
  const int hidden = extent(
      checkpoint, first + (token_mlp == "mlp" ? "mlp.fc1.weight" : "mlp.linear1.0.weight"), 0);
  if (dim == 0 || in == 0 || out == 0 || hidden == 0) return std::nullopt;
  std::vector<int> depths, heads, windows;
  for (const std::string& group : group_names()) {
    const std::string table = group + ".blocks.0.attn.relative_position_bias_table";
    const std::vector<int> blocks = indices(checkpoint, group + ".blocks.", "norm1.weight");
    const int side = whole_root(extent(checkpoint, table, 0));
    if (blocks.empty() || side % 2 == 0) return std::nullopt;
    depths.push_back(blocks.back() + 1);
    heads.push_back(extent(checkpoint, table, 1));
    windows.push_back((side + 1) / 2);
  }
  const int window = windows.front();
  int img_size = std::max(256, window << (kLevels + 1));
  for (int level = kLevels; level > 0; --level) {
    if (windows[level] < window) img_size = windows[level] << level;
  }
  return Recognised{
      .fixed = {{"in_chans", out},
                {"dd_in", in},
                {"embed_dim", dim},
                {"depths", depths},
                {"num_heads", heads},
                {"win_size", window},
                {"qkv_bias", has(checkpoint, first + "attn.qkv.to_q.bias")},
                {"token_projection", "linear"},
                {"modulator", has(checkpoint, "decoderlayer_0.blocks.0.modulator.weight")}},
      .defaults = {{"token_mlp", token_mlp},  // of which two names mean the same
                   {"mlp_ratio", shortest_ratio({{hidden, dim}})},
                   {"shift_flag", true},
                   {"img_size", img_size}}};
}

Built make(const Scope& p, const Json& hyper) {
  UformerHyper h;
  h.in_chans = integer(hyper, "in_chans", 1, 64);
  h.dd_in = integer(hyper, "dd_in", 1, 64);
  h.embed_dim = integer(hyper, "embed_dim", 1, 256);
  h.depths = integers(hyper, "depths", 1, 1024, 2 * kLevels + 1);
  h.num_heads = integers(hyper, "num_heads", 1, 4096, 2 * kLevels + 1);
  h.win_size = integer(hyper, "win_size", 1, 128);
  h.mlp_ratio = ratio(hyper, "mlp_ratio");
  h.qkv_bias = flag(hyper, "qkv_bias");
  h.modulator = flag(hyper, "modulator");
  h.shift_flag = flag(hyper, "shift_flag");
  h.token_mlp = choice(hyper, "token_mlp", {"leff", "fastleff", "mlp", "ffn"});
  if (h.token_mlp == "ffn") h.token_mlp = "mlp";
  h.img_size = integer(hyper, "img_size", 1 << kLevels, 1 << 20);
  Traits traits(TilePolicy::kWholeImage);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {"denoise", "deblur"};
  traits.input_channels = h.dd_in;
  traits.colour = h.dd_in == 1 ? Colour::kGray : Colour::kRgb;
  traits.tiles_change = "the picture is centred on a square, and windows start at its corner";
  return {traits, image_to_image(Uformer(p, h))};
}

}  // namespace

LeWinTransformerBlock::LeWinTransformerBlock(const Scope& p, int dim, int heads, int window,
                                             int shift, bool modulated, const UformerHyper& hyper)
    : norm1(p / "norm1", dim),
      modulator(modulated
                    ? p.dense("modulator.weight", {window * window, dim}, {1, window, window, dim})
                    : Tensor()),
      to_q(p / "attn" / "qkv" / "to_q", dim, dim, hyper.qkv_bias),
      to_kv(p / "attn" / "qkv" / "to_kv", dim, 2 * dim, hyper.qkv_bias),
      bias(relative_position_bias(p / "attn", window, heads)),
      proj(p / "attn" / "proj", dim, dim),
      call(square_windows(dim, window, shift, heads)),
      norm2(p / "norm2", dim) {
  const int hidden = scaled_width(dim, hyper.mlp_ratio);
  if (hyper.token_mlp == "mlp") {
    mlp.emplace(p / "mlp", dim, hidden);
  } else {
    leff.emplace(p / "mlp", dim, hidden, hyper.token_mlp == "fastleff");
  }
}

Tensor LeWinTransformerBlock::modulate(const Tensor& x) const {
  if (!modulator) return x;
  // Shifted windows begin inside the unshifted ones: there the learned window is rolled.
  const Tensor tile = apply(op::Roll{call.shift_h, call.shift_w}, {modulator});
  const Tensor windows = apply(op::WindowPartition{call.window_h, call.window_w}, {x});
  return apply(op::WindowMerge{x.shape().h, x.shape().w}, {windows + tile});
}

Tensor LeWinTransformerBlock::operator()(const Tensor& x) const {
  const int dim = x.shape().c;
  const Tensor tokens = modulate(norm1(x));
  const Tensor kv = to_kv(tokens);
  const Tensor k = slice_channels(kv, 0, dim), v = slice_channels(kv, dim, dim);
  const Tensor y = x + proj(apply(call, {to_q(tokens), k, v, bias()}));
  return y + (leff ? (*leff)(norm2(y)) : (*mlp)(norm2(y)));
}

UformerLayer::UformerLayer(const Scope& p, int dim, int index, int level, bool modulated,
                           const UformerHyper& hyper) {
  const int resolution = hyper.img_size >> level;
  const int window = std::min(hyper.win_size, resolution);
  const int shift = hyper.shift_flag && resolution > hyper.win_size ? window / 2 : 0;
  for (int i = 0; i < hyper.depths[index]; ++i) {
    blocks.emplace_back(p / "blocks" / i, dim, hyper.num_heads[index], window,
                        i % 2 == 0 ? 0 : shift, modulated, hyper);
  }
}

Uformer::Uformer(const Scope& p, const UformerHyper& h)
    : multiple(h.win_size << kLevels),
      residual(h.dd_in == 3),
      input_proj(p / "input_proj" / "proj" / 0, h.dd_in, h.embed_dim),
      conv(p / "conv", h.embed_dim << kLevels, kLevels, kLevels, false, h),
      output_proj(p / "output_proj" / "proj" / 0, 2 * h.embed_dim, h.in_chans) {
  const auto numbered = [&](const char* name, int i) { return p / fmt::format("{}_{}", name, i); };
  for (int i = 0; i < kLevels; ++i) {
    const int dim = h.embed_dim << i;
    encoderlayer.emplace_back(numbered("encoderlayer", i), dim, i, i, false, h);
    dowsample.emplace_back(numbered("dowsample", i) / "conv" / 0, dim, 2 * dim, 4,
                           Conv2dOptions{.stride = 2, .padding = 1});
  }
  for (int i = 0; i < kLevels; ++i) {
    const int level = kLevels - 1 - i, dim = h.embed_dim << level;
    // From the middle come 2·dim channels, from a decoder, which works on two parts, 4·dim.
    upsample.emplace_back(numbered("upsample", i) / "deconv" / 0, i == 0 ? 2 * dim : 4 * dim, dim,
                          2, ConvTranspose2dOptions{.stride = 2});
    decoderlayer.emplace_back(numbered("decoderlayer", i), 2 * dim, kLevels + 1 + i, level,
                              h.modulator, h);
  }
}

Tensor Uformer::restore(const Tensor& x) const {
  Tensor y = lrelu(input_proj(x), 0.01f);
  std::vector<Tensor> skips;
  for (int i = 0; i < kLevels; ++i) {
    skips.push_back(encoderlayer[i](y));
    y = dowsample[i](skips.back());
  }
  y = conv(y);
  for (int i = 0; i < kLevels; ++i) {
    y = decoderlayer[i](concat({upsample[i](y), skips[kLevels - 1 - i]}));
  }
  y = output_proj(y);
  return residual ? x + y : y;
}

Tensor Uformer::operator()(const Tensor& x) const {
  const int h = x.shape().h, w = x.shape().w;
  const int side = (std::max(h, w) + multiple - 1) / multiple * multiple;
  const int top = (side - h) / 2, left = (side - w) / 2;
  const Tensor square =
      pad(x, {.top = top, .bottom = side - h - top, .left = left, .right = side - w - left},
          PadMode::kConstant);
  return crop(restore(square), top, left, h, w);
}

Architecture uformer() {
  return {.name = "uformer",
          .title = "Uformer",
          .paper = "Wang et al. 2022, arXiv:2106.03106",
          .signature = "input_proj.proj.0.weight, dowsample_0.conv.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
