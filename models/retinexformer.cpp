#include "models/retinexformer.h"

namespace mend {
namespace {

constexpr int kLevels = 2;    // the official class asks for no other
constexpr int kMultiple = 4;  // twice halved
constexpr int kWider = 4;     // feed-forward networks widen their input by this

Conv2d conv3x3(const Scope& p, int in, int out, int groups = 1) {
  return Conv2d(p, in, out, 3, {.groups = groups, .bias = false});
}

Conv2d conv1x1(const Scope& p, int in, int out) { return Conv2d(p, in, out, 1, {.bias = false}); }

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const std::string denoiser = "body.0.denoiser.";
  const int features = extent(checkpoint, denoiser + "embedding.weight", 0);
  const int in = extent(checkpoint, denoiser + "embedding.weight", 1);
  const int out = extent(checkpoint, denoiser + "mapping.weight", 0);
  std::vector<int> blocks =
      depths_of(checkpoint, denoiser + "encoder_layers.{}.0.blocks.", "0.rescale");
  const std::vector<int> deepest =
      indices(checkpoint, denoiser + "bottleneck.blocks.", "0.rescale");
  const std::vector<int> stages = indices(checkpoint, "body.", "denoiser.embedding.weight");
  if (features == 0 || in == 0 || out == 0 || blocks.size() != kLevels || deepest.empty()) {
    return std::nullopt;
  }
  blocks.push_back(deepest.back() + 1);
  return Recognised{.fixed = {{"in_channels", in},
                              {"out_channels", out},
                              {"n_feat", features},
                              {"stage", stages.back() + 1},
                              {"num_blocks", blocks}}};
}

Built make(const Scope& p, const Json& hyper) {
  RetinexFormerHyper h;
  h.in_channels = integer(hyper, "in_channels", 1, 64);
  h.out_channels = integer(hyper, "out_channels", 1, 64);
  h.n_feat = integer(hyper, "n_feat", 1, 1024);
  h.stage = integer(hyper, "stage", 1, 64);
  h.num_blocks = integers(hyper, "num_blocks", 1, 1024, kLevels + 1);
  Traits traits(TilePolicy::kWholeImage);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {"lowlight"};
  traits.input_channels = h.in_channels;
  traits.colour = h.in_channels == 1 ? Colour::kGray : Colour::kRgb;
  traits.smallest = kMultiple / 2 + 1;  // smaller pictures have no mirror that fills a multiple
  return {traits, image_to_image(RetinexFormer(p, h))};
}

}  // namespace

IlluminationEstimator::IlluminationEstimator(const Scope& p, int channels, int features)
    : averaging(Tensor::full({1, 1, 1, channels}, 1.0f / static_cast<float>(channels))),
      conv1(p / "conv1", channels + 1, features, 1),
      depth_conv(p / "depth_conv", features, features, 5, {.groups = channels + 1}),
      conv2(p / "conv2", features, channels, 1) {}

IlluminationEstimator::Result IlluminationEstimator::operator()(const Tensor& x) const {
  const Tensor mean = apply(op::Conv2d{.outputs = 1}, {x, averaging});
  const Tensor features = depth_conv(conv1(concat({x, mean})));
  return {features, conv2(features)};
}

IGMSA::IGMSA(const Scope& p, int dim, int heads)
    : to_q(p / "to_q", dim, dim, false),
      to_k(p / "to_k", dim, dim, false),
      to_v(p / "to_v", dim, dim, false),
      rescale(p.vector("rescale", heads)),
      proj(p / "proj", dim, dim),
      pos_emb_0(conv3x3(p / "pos_emb" / 0, dim, dim, dim)),
      pos_emb_2(conv3x3(p / "pos_emb" / 2, dim, dim, dim)),
      call{.heads = heads} {}

Tensor IGMSA::operator()(const Tensor& x, const Tensor& illumination) const {
  const Tensor v = to_v(x);
  const Tensor attended = apply(call, {to_k(x), to_q(x), v * illumination, rescale});
  return proj(attended) + pos_emb_2(gelu(pos_emb_0(v)));
}

IGABlock::IGABlock(const Scope& p, int dim, int heads)
    : attention(p / 0, dim, heads),
      norm(p / 1 / "norm", dim),
      net_0(conv1x1(p / 1 / "fn" / "net" / 0, dim, kWider * dim)),
      net_2(conv3x3(p / 1 / "fn" / "net" / 2, kWider * dim, kWider * dim, kWider * dim)),
      net_4(conv1x1(p / 1 / "fn" / "net" / 4, kWider * dim, dim)) {}

Tensor IGABlock::operator()(const Tensor& x, const Tensor& illumination) const {
  const Tensor y = attention(x, illumination) + x;
  return net_4(gelu(net_2(gelu(net_0(norm(y)))))) + y;
}

RetinexDenoiser::RetinexDenoiser(const Scope& p, const RetinexFormerHyper& h)
    : embedding(conv3x3(p / "embedding", h.in_channels, h.n_feat)),
      bottleneck(p / "bottleneck", h.n_feat << kLevels, 1 << kLevels, h.num_blocks[kLevels]),
      mapping(conv3x3(p / "mapping", h.n_feat, h.out_channels)) {
  const Conv2dOptions halving = {.stride = 2, .padding = 1, .bias = false};
  for (int level = 0; level < kLevels; ++level) {
    const int heads = 1 << level, dim = h.n_feat * heads;
    const Scope layer = p / "encoder_layers" / level;
    encoder_layers.push_back({IGAB(layer / 0, dim, heads, h.num_blocks[level]),
                              Conv2d(layer / 1, dim, 2 * dim, 4, halving),
                              Conv2d(layer / 2, dim, 2 * dim, 4, halving)});
  }
  for (int i = 0; i < kLevels; ++i) {
    const int level = kLevels - 1 - i, heads = 1 << level, dim = h.n_feat * heads;
    const Scope layer = p / "decoder_layers" / i;
    decoder_layers.push_back({ConvTranspose2d(layer / 0, 2 * dim, dim, 2, {.stride = 2}),
                              conv1x1(layer / 1, 2 * dim, dim),
                              IGAB(layer / 2, dim, heads, h.num_blocks[level])});
  }
}

Tensor RetinexDenoiser::operator()(const Tensor& x, const Tensor& illumination) const {
  std::vector<Tensor> skips, guides = {illumination};
  Tensor y = embedding(x);
  for (const Encoder& layer : encoder_layers) {
    skips.push_back(layer.igab(y, guides.back()));
    y = layer.down(skips.back());
    guides.push_back(layer.illumination_down(guides.back()));
  }
  y = bottleneck(y, guides.back());
  for (const Decoder& layer : decoder_layers) {
    guides.pop_back();
    y = layer.igab(layer.fusion(concat({layer.up(y), skips.back()})), guides.back());
    skips.pop_back();
  }
  return mapping(y) + x;
}

RetinexFormer::RetinexFormer(const Scope& p, const RetinexFormerHyper& hyper) {
  for (int i = 0; i < hyper.stage; ++i) {
    body.push_back(
        {IlluminationEstimator(p / "body" / i / "estimator", hyper.in_channels, hyper.n_feat),
         RetinexDenoiser(p / "body" / i / "denoiser", hyper)});
  }
}

Tensor RetinexFormer::operator()(const Tensor& x) const {
  Tensor y = pad_to_multiple(x, kMultiple, PadMode::kReflect);
  for (const Stage& stage : body) {
    const auto [features, map] = stage.estimator(y);
    y = stage.denoiser(y * map + y, features);
  }
  return crop(y, 0, 0, x.shape().h, x.shape().w);
}

Architecture retinexformer() {
  return {.name = "retinexformer",
          .title = "RetinexFormer",
          .paper = "Cai et al. 2023, arXiv:2303.06705",
          .signature = "body.0.denoiser.embedding.weight, body.0.estimator.depth_conv.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
