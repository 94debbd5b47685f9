#include "models/omnisr.h"

#include <cmath>

#include "kernels/rearrange/rearrange.h"

namespace mend {
namespace {

constexpr int kShrinkage = 4;  // of the gate's hidden layer
// ESA halves the picture by an unpadded 3x3 convolution and pools windows of 7: (15 - 3)/2 + 1 = 7.
constexpr int kSmallestPadded = 15;

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const std::string group = "residual_layer.0.", layer = group + "residual_layer.0.layer.";
  const int features = extent(checkpoint, "input.weight", 0);
  const int in = extent(checkpoint, "input.weight", 1);
  const int last = extent(checkpoint, "up.0.weight", 0);
  const int esa_channels = extent(checkpoint, group + "esa.conv_f.weight", 0);
  const int channel_heads = extent(checkpoint, layer + "5.fn.temperature", 0);
  const int up_scale = in > 0 && last % in == 0 ? whole_root(last / in) : 0;
  if (features == 0 || up_scale == 0 || esa_channels == 0 || channel_heads == 0) {
    return std::nullopt;
  }
  const std::string table = layer + "2.fn.rel_pos_bias.weight";
  const int side = whole_root(extent(checkpoint, table, 0));
  const bool pe = side % 2 == 1;
  const std::vector<int> groups = indices(checkpoint, "residual_layer.", "esa.conv_f.weight");
  const std::vector<int> blocks =
      indices(checkpoint, group + "residual_layer.", "layer.0.fn.0.weight");
  Recognised told{.fixed = {{"num_in_ch", in},
                            {"num_out_ch", in},
                            {"num_feat", features},
                            {"up_scale", up_scale},
                            {"res_num", groups.back() + 1},
                            {"block_num", blocks.empty() ? 0 : blocks.back() + 1},
                            {"pe", pe},
                            {"bias", has(checkpoint, "input.bias")},
                            {"heads", pe ? extent(checkpoint, table, 1) : 4},
                            {"channel_heads", channel_heads},
                            {"esa_channels", esa_channels}}};
  (pe ? told.fixed : told.defaults)["window_size"] = pe ? (side + 1) / 2 : 8;
  return told;
}

Built make(const Scope& p, const Json& hyper) {
  OmniSRHyper h;
  h.num_in_ch = integer(hyper, "num_in_ch", 1, 64);
  h.num_out_ch = integer(hyper, "num_out_ch", 1, 64);
  h.num_feat = integer(hyper, "num_feat", kShrinkage, 4096);
  h.up_scale = integer(hyper, "up_scale", 1, 16);
  h.res_num = integer(hyper, "res_num", 1, 1024);
  h.block_num = integer(hyper, "block_num", 1, 1024);
  h.window_size = integer(hyper, "window_size", 1, 128);
  h.heads = integer(hyper, "heads", 1, 4096);
  h.channel_heads = integer(hyper, "channel_heads", 1, 4096);
  h.esa_channels = integer(hyper, "esa_channels", 1, 4096);
  h.pe = flag(hyper, "pe");
  h.bias = flag(hyper, "bias");
  Traits traits(TilePolicy::kWholeImage);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {"upscale"};
  traits.scale = h.up_scale;
  traits.input_channels = h.num_in_ch;
  traits.colour = h.num_in_ch == 1 ? Colour::kGray : Colour::kRgb;
  traits.smallest = (kSmallestPadded - 1) / h.window_size * h.window_size + 1;
  traits.tiles_change = "its attention spans the whole picture";
  return {traits, image_to_image(OmniSR(p, h))};
}

}  // namespace

MBConv::MBConv(const Scope& p, int features)
    : fn_0(p / 0, features, features, 1),
      fn_2(p / 2, features, features, 3, {.groups = features}),
      gate_1(p / 4 / "gate" / 1, features, features / kShrinkage, false),
      gate_3(p / 4 / "gate" / 3, features / kShrinkage, features, false),
      fn_5(p / 5, features, features, 1) {}

Tensor MBConv::operator()(const Tensor& x) const {
  const Tensor y = gelu(fn_2(gelu(fn_0(x))));
  return fn_5(y * sigmoid(gate_3(silu(gate_1(global_average_pool(y)))))) + x;
}

OmniSpatialAttention::OmniSpatialAttention(const Scope& p, bool dilated, const OmniSRHyper& hyper)
    : norm(p / "norm", hyper.num_feat),
      to_qkv(p / "fn" / "to_qkv", hyper.num_feat, 3 * hyper.num_feat, false),
      to_out(p / "fn" / "to_out" / 0, hyper.num_feat, hyper.num_feat, false),
      call(square_windows(hyper.num_feat, hyper.window_size, 0, hyper.heads)) {
  call.dilated = dilated;
  if (!hyper.pe) return;
  const int side = 2 * hyper.window_size - 1;
  rel_pos_bias.emplace(p.matrix("fn.rel_pos_bias.weight", side * side, hyper.heads),
                       hyper.window_size);
}

Tensor OmniSpatialAttention::operator()(const Tensor& x) const {
  const int dim = x.shape().c;
  const Tensor all = to_qkv(norm(x));
  const Tensor q = slice_channels(all, 0, dim);
  const Tensor k = slice_channels(all, dim, dim);
  const Tensor v = slice_channels(all, 2 * dim, dim);
  return x + to_out(apply(call, {q, k, v, rel_pos_bias ? (*rel_pos_bias)() : Tensor()}));
}

OmniChannelAttention::OmniChannelAttention(const Scope& p, bool is_dilated,
                                           const OmniSRHyper& hyper)
    : norm(p / "norm", hyper.num_feat, kLayerNorm2dEpsilon),
      fn(p / "fn", hyper.num_feat, hyper.channel_heads, /*bias=*/false),
      window_size(hyper.window_size),
      dilated(is_dilated) {}

Tensor OmniChannelAttention::operator()(const Tensor& x) const {
  const auto [n, h, w, dim] = x.shape();
  // Dilated windows of H/window rows hold the pixels `window` rows apart.
  const op::WindowPartition partition{dilated ? h / window_size : window_size,
                                      dilated ? w / window_size : window_size, dilated};
  const Tensor all = apply(partition, {fn.qkv_dwconv(fn.qkv(norm(x)))});
  const Tensor q = slice_channels(all, 0, dim);
  const Tensor k = slice_channels(all, dim, dim);
  const Tensor v = slice_channels(all, 2 * dim, dim);
  const Tensor attended = apply(fn.call, {q, k, v, fn.temperature});
  return x + fn.project_out(apply(op::WindowMerge{h, w, dilated}, {attended}));
}

OmniSR::OmniSR(const Scope& p, const OmniSRHyper& h)
    : window_size(h.window_size),
      up_scale(h.up_scale),
      input(p / "input", h.num_in_ch, h.num_feat, 3, {.bias = h.bias}),
      output(p / "output", h.num_feat, h.num_feat, 3, {.bias = h.bias}),
      up(p / "up" / 0, h.num_feat, h.num_out_ch * h.up_scale * h.up_scale, 3, {.bias = h.bias}) {
  for (int i = 0; i < h.res_num; ++i) residual_layer.emplace_back(p / "residual_layer" / i, h);
}

Tensor OmniSR::operator()(const Tensor& x) const {
  const Tensor shallow = input(pad_to_multiple(x, window_size, PadMode::kConstant));
  Tensor deep = shallow;
  for (const OSAG& group : residual_layer) deep = group(deep);
  const Tensor y = pixel_shuffle(up(output(deep) + shallow), up_scale);
  return crop(y, 0, 0, x.shape().h * up_scale, x.shape().w * up_scale);
}

Architecture omnisr() {
  return {.name = "omnisr",
          .title = "OmniSR",
          .paper = "Wang et al. 2023, arXiv:2304.10244",
          .signature = "residual_layer.0.residual_layer.0.layer.5.fn.temperature",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
