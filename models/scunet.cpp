#include "models/scunet.h"

#include <cmath>
#include <numeric>

#include "kernels/rearrange/rearrange.h"

namespace mend {
namespace {

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const std::string position = "m_body.0.trans_block.msa.relative_position_params";
  const int dim = extent(checkpoint, "m_head.0.weight", 0);
  const int in = extent(checkpoint, "m_head.0.weight", 1);
  const int heads = extent(checkpoint, position, 0);  // of 4·dim channels
  const int side = extent(checkpoint, position, 1);
  if (dim == 0 || in == 0 || heads == 0 || side % 2 == 0) return std::nullopt;
  std::vector<int> config;
  for (const std::string stage :
       {"m_down1.", "m_down2.", "m_down3.", "m_body.", "m_up3.", "m_up2.", "m_up1."}) {
    config.push_back(static_cast<int>(indices(checkpoint, stage, "conv1_1.weight").size()));
  }
  return Recognised{.fixed = {{"in_nc", in},
                              {"config", config},
                              {"dim", dim},
                              {"head_dim", 4 * dim / heads},
                              {"window_size", (side + 1) / 2}},
                    .defaults = {{"input_resolution", 256}}};
}

Built make(const Scope& p, const Json& hyper) {
  SCUNetHyper h;
  h.in_nc = integer(hyper, "in_nc", 1, 64);
  h.config = integers(hyper, "config", 0, 1024, 7);
  h.dim = integer(hyper, "dim", 2, 512);
  h.head_dim = integer(hyper, "head_dim", 1, h.dim / 2);
  h.window_size = integer(hyper, "window_size", 1, 128);
  h.input_resolution = integer(hyper, "input_resolution", 1, 1 << 20);
  Traits traits(TilePolicy::kWindowAligned);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {"denoise"};
  traits.input_channels = h.in_nc;
  traits.colour = h.in_nc == 1 ? Colour::kGray : Colour::kRgb;
  return {traits, image_to_image(SCUNet(p, h))};
}

}  // namespace

WMSA::WMSA(const Scope& p, int dim, int shift, const SCUNetHyper& hyper)
    : embedding_layer(p / "embedding_layer", dim, 3 * dim), linear(p / "linear", dim, dim) {
  const int heads = dim / hyper.head_dim, side = 2 * hyper.window_size - 1;
  relative_position_params =
      p.dense("relative_position_params", {heads, side, side}, {1, 1, heads, side * side});
  call = {.window_h = hyper.window_size,
          .window_w = hyper.window_size,
          .shift_h = shift,
          .shift_w = shift,
          .heads = heads,
          .scale = static_cast<float>(1.0 / std::sqrt(hyper.head_dim)),
          .mask = shift > 0 ? WindowMask::kMinusInfinity : WindowMask::kNone};
}

Tensor WMSA::operator()(const Tensor& x) const {
  const int dim = x.shape().c;
  const Tensor all = embedding_layer(x);
  const Tensor q = slice_channels(all, 0, dim);
  const Tensor k = slice_channels(all, dim, dim);
  const Tensor v = slice_channels(all, 2 * dim, dim);
  const Tensor table = apply(op::Transpose{}, {relative_position_params});
  const Tensor index = relative_position_index(call.window_h, call.window_w);
  return linear(apply(call, {q, k, v, apply(op::GatherBias{}, {table, index})}));
}

ConvTransBlocks::ConvTransBlocks(const Scope& p, int first, int count, int dim, int resolution,
                                 const SCUNetHyper& hyper) {
  const int shift = resolution > hyper.window_size ? hyper.window_size / 2 : 0;
  for (int i = 0; i < count; ++i) {
    blocks.emplace_back(p / (first + i), dim, i % 2 == 0 ? 0 : shift, hyper);
  }
}

SCUNet::SCUNet(const Scope& p, const SCUNetHyper& h)
    : multiple(std::lcm(64, 8 * h.window_size)),
      m_head(p / "m_head" / 0, h.in_nc, h.dim, 3, {.bias = false}),
      m_down1(p / "m_down1", h.config[0], h.dim, h.input_resolution, h),
      m_down2(p / "m_down2", h.config[1], 2 * h.dim, h.input_resolution / 2, h),
      m_down3(p / "m_down3", h.config[2], 4 * h.dim, h.input_resolution / 4, h),
      m_body(p / "m_body", 0, h.config[3], 8 * h.dim, h.input_resolution / 8, h),
      m_up3(p / "m_up3", h.config[4], 4 * h.dim, h.input_resolution / 4, h),
      m_up2(p / "m_up2", h.config[5], 2 * h.dim, h.input_resolution / 2, h),
      m_up1(p / "m_up1", h.config[6], h.dim, h.input_resolution, h),
      m_tail(p / "m_tail" / 0, h.dim, h.in_nc, 3, {.bias = false}) {}

Tensor SCUNet::operator()(const Tensor& x) const {
  const Tensor x1 = m_head(pad_to_multiple(x, multiple, PadMode::kReplicate));
  const Tensor x2 = m_down1(x1);
  const Tensor x3 = m_down2(x2);
  const Tensor x4 = m_down3(x3);
  Tensor y = m_body(x4);
  y = m_up3(y + x4);
  y = m_up2(y + x3);
  y = m_up1(y + x2);
  return crop(m_tail(y + x1), 0, 0, x.shape().h, x.shape().w);
}

Architecture scunet() {
  return {.name = "scunet",
          .title = "SCUNet",
          .paper = "Zhang et al. 2023, arXiv:2203.13278",
          .signature = "m_body.0.trans_block.msa.relative_position_params",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
