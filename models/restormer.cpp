#include "models/restormer.h"

#include "kernels/normalization/normalization.h"

namespace mend {
namespace {

constexpr int kMultiple = 8;  // three times halved

/// What brings features into a level, where no network has a bias.
Conv2d resampler(const Scope& p, int in, int out) { return Conv2d(p, in, out, 3, {.bias = false}); }

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int dim = extent(checkpoint, "patch_embed.proj.weight", 0);
  const int in = extent(checkpoint, "patch_embed.proj.weight", 1);
  const int out = extent(checkpoint, "output.weight", 0);
  if (dim == 0 || in == 0 || out == 0 || !has(checkpoint, "latent.0.attn.temperature")) {
    return std::nullopt;
  }
  std::vector<int> blocks, heads;
  std::vector<std::pair<int, int>> widths;
  int level_dim = dim;
  for (const std::string level :
       {"encoder_level1.", "encoder_level2.", "encoder_level3.", "latent."}) {
    const std::vector<int> found = indices(checkpoint, level, "attn.temperature");
    const int hidden = extent(checkpoint, level + "0.ffn.project_out.weight", 1);
    if (found.empty() || hidden == 0) return std::nullopt;
    blocks.push_back(found.back() + 1);
    heads.push_back(extent(checkpoint, level + "0.attn.temperature", 0));
    widths.emplace_back(hidden, level_dim);
    level_dim *= 2;
  }
  const std::vector<int> refinement = indices(checkpoint, "refinement.", "attn.temperature");
  return Recognised{
      .fixed = {{"inp_channels", in},
                {"out_channels", out},
                {"dim", dim},
                {"num_blocks", blocks},
                {"num_refinement_blocks", refinement.empty() ? 0 : refinement.back() + 1},
                {"heads", heads},
                {"bias", has(checkpoint, "output.bias")},
                {"LayerNorm_type",
                 has(checkpoint, "latent.0.norm1.body.bias") ? "WithBias" : "BiasFree"},
                {"dual_pixel_task", has(checkpoint, "skip_conv.weight")}},
      .defaults = {{"ffn_expansion_factor", shortest_ratio(widths, 2.66)}}};
}

Built make(const Scope& p, const Json& hyper) {
  RestormerHyper h;
  h.inp_channels = integer(hyper, "inp_channels", 1, 64);
  h.out_channels = integer(hyper, "out_channels", 1, 64);
  h.dim = integer(hyper, "dim", 2, 512);
  h.num_blocks = integers(hyper, "num_blocks", 1, 1024, 4);
  h.num_refinement_blocks = integer(hyper, "num_refinement_blocks", 0, 1024);
  h.heads = integers(hyper, "heads", 1, 4096, 4);
  h.ffn_expansion_factor = ratio(hyper, "ffn_expansion_factor");
  h.bias = flag(hyper, "bias");
  h.with_bias_norm = choice(hyper, "LayerNorm_type", {"WithBias", "BiasFree"}) == "WithBias";
  h.dual_pixel_task = flag(hyper, "dual_pixel_task");
  Traits traits(TilePolicy::kWholeImage);
  traits.narrow_type = DType::kBF16;
  // The authors trained their denoisers without biases, all others with.
  traits.tasks = {"deblur", "derain"};
  if (!h.with_bias_norm) traits.tasks = {"denoise"};
  if (h.dual_pixel_task) traits.tasks = {"deblur"};
  traits.input_channels = h.inp_channels;
  traits.colour = h.inp_channels == 1 ? Colour::kGray : Colour::kRgb;
  traits.smallest = kMultiple / 2 + 1;  // smaller pictures have no mirror that fills a multiple
  return {traits, image_to_image(Restormer(p, h))};
}

}  // namespace

RestormerNorm::RestormerNorm(const Scope& p, int dim, bool with_bias)
    : weight(p.vector("weight", dim)), bias(with_bias ? p.vector("bias", dim) : Tensor()) {}

Tensor RestormerNorm::operator()(const Tensor& x) const {
  return apply(op::LayerNorm{.subtract_mean = bias.defined()}, {x, weight, bias});
}

Restormer::Restormer(const Scope& p, const RestormerHyper& h)
    : patch_embed(resampler(p / "patch_embed" / "proj", h.inp_channels, h.dim)),
      encoder_level1(p / "encoder_level1", h.dim, h.heads[0], h.num_blocks[0], h),
      down1_2(resampler(p / "down1_2" / "body" / 0, h.dim, h.dim / 2)),
      encoder_level2(p / "encoder_level2", 2 * h.dim, h.heads[1], h.num_blocks[1], h),
      down2_3(resampler(p / "down2_3" / "body" / 0, 2 * h.dim, h.dim)),
      encoder_level3(p / "encoder_level3", 4 * h.dim, h.heads[2], h.num_blocks[2], h),
      down3_4(resampler(p / "down3_4" / "body" / 0, 4 * h.dim, 2 * h.dim)),
      latent(p / "latent", 8 * h.dim, h.heads[3], h.num_blocks[3], h),
      up4_3(resampler(p / "up4_3" / "body" / 0, 8 * h.dim, 16 * h.dim)),
      reduce_chan_level3(p / "reduce_chan_level3", 8 * h.dim, 4 * h.dim, 1, {.bias = h.bias}),
      decoder_level3(p / "decoder_level3", 4 * h.dim, h.heads[2], h.num_blocks[2], h),
      up3_2(resampler(p / "up3_2" / "body" / 0, 4 * h.dim, 8 * h.dim)),
      reduce_chan_level2(p / "reduce_chan_level2", 4 * h.dim, 2 * h.dim, 1, {.bias = h.bias}),
      decoder_level2(p / "decoder_level2", 2 * h.dim, h.heads[1], h.num_blocks[1], h),
      up2_1(resampler(p / "up2_1" / "body" / 0, 2 * h.dim, 4 * h.dim)),
      decoder_level1(p / "decoder_level1", 2 * h.dim, h.heads[0], h.num_blocks[0], h),
      refinement(p / "refinement", 2 * h.dim, h.heads[0], h.num_refinement_blocks, h),
      output(p / "output", 2 * h.dim, h.out_channels, 3, {.bias = h.bias}) {
  if (h.dual_pixel_task) {
    skip_conv.emplace(p / "skip_conv", h.dim, 2 * h.dim, 1, Conv2dOptions{.bias = h.bias});
  }
}

Tensor Restormer::restore(const Tensor& x) const {
  const Tensor shallow = patch_embed(x);
  const Tensor e1 = encoder_level1(shallow);
  const Tensor e2 = encoder_level2(pixel_unshuffle(down1_2(e1), 2));
  const Tensor e3 = encoder_level3(pixel_unshuffle(down2_3(e2), 2));
  const Tensor deepest = latent(pixel_unshuffle(down3_4(e3), 2));
  const Tensor joined3 = concat({pixel_shuffle(up4_3(deepest), 2), e3});
  const Tensor d3 = decoder_level3(reduce_chan_level3(joined3));
  const Tensor joined2 = concat({pixel_shuffle(up3_2(d3), 2), e2});
  const Tensor d2 = decoder_level2(reduce_chan_level2(joined2));
  const Tensor joined1 = concat({pixel_shuffle(up2_1(d2), 2), e1});  // stays 2·dim wide
  const Tensor d1 = refinement(decoder_level1(joined1));
  if (skip_conv) return output(d1 + (*skip_conv)(shallow));
  return output(d1) + x;
}

Tensor Restormer::operator()(const Tensor& x) const {
  const Tensor y = restore(pad_to_multiple(x, kMultiple, PadMode::kReflect));
  return crop(y, 0, 0, x.shape().h, x.shape().w);
}

Architecture restormer() {
  return {.name = "restormer",
          .title = "Restormer",
          .paper = "Zamir et al. 2022, arXiv:2111.09881",
          .signature = "patch_embed.proj.weight, latent.0.attn.temperature",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
