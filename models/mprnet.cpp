#include "models/mprnet.h"

#include <memory>

namespace mend {
namespace {

constexpr int kSmallest = 8;  // a reflection of up to 7 pixels needs 8

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int n_feat = extent(checkpoint, "shallow_feat1.0.weight", 0);
  const int kernel = extent(checkpoint, "shallow_feat1.0.weight", 2);
  const int level2 = extent(checkpoint, "stage1_encoder.down12.down.1.weight", 0);
  const int original = extent(checkpoint, "concat23.weight", 0);
  const std::string reduced = ".0.CA.conv_du.0.weight";
  const int reduced1 = extent(checkpoint, "stage1_encoder.encoder_level1" + reduced, 0);
  const int reduced2 = extent(checkpoint, "stage1_encoder.encoder_level2" + reduced, 0);
  if (n_feat == 0 || kernel == 0 || level2 <= n_feat || original <= n_feat || reduced1 == 0) {
    return std::nullopt;
  }
  int reduction = 4;  // the official one if it fits: the quotients are rounded down
  const auto fits = [&] {
    return n_feat / reduction == reduced1 && level2 / reduction == reduced2;
  };
  if (!fits()) {
    for (reduction = 1; reduction < n_feat && !fits();) ++reduction;
  }
  const std::string orb = "stage3_orsnet.orb1.body.";
  return Recognised{.fixed = {{"n_feat", n_feat},
                              {"scale_unetfeats", level2 - n_feat},
                              {"scale_orsnetfeats", original - n_feat},
                              {"num_cab", indices(checkpoint, orb, "body.0.weight").size()},
                              {"kernel_size", kernel},
                              {"bias", has(checkpoint, "shallow_feat1.0.bias")}},
                    .defaults = {{"reduction", reduction}}};
}

/// The released networks differ in their widths.
std::vector<std::string> tasks_of(const MPRNet::Hyper& h) {
  if (h.n_feat == 96) return {"deblur"};
  if (h.n_feat == 80) return {"denoise"};
  if (h.n_feat == 40) return {"derain"};
  return {"deblur", "denoise", "derain"};
}

Built make(const Scope& p, const Json& hyper) {
  MPRNet::Hyper h;
  h.n_feat = integer(hyper, "n_feat", 1, 4096);
  h.scale_unetfeats = integer(hyper, "scale_unetfeats", 1, 4096);
  h.scale_orsnetfeats = integer(hyper, "scale_orsnetfeats", 1, 4096);
  h.num_cab = integer(hyper, "num_cab", 0, 1024);
  h.kernel_size = integer(hyper, "kernel_size", 1, 31);
  h.reduction = integer(hyper, "reduction", 1, h.n_feat);
  h.bias = flag(hyper, "bias");
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = tasks_of(h);
  traits.smallest = kSmallest;
  traits.outputs = {"output", "stage2", "stage1"};
  const auto net = std::make_shared<const MPRNet>(p, h);
  return {traits, [net](const std::vector<Tensor>& inputs) { return (*net)(inputs[0]); }};
}

std::string numbered(const std::string& name, int number) { return name + std::to_string(number); }

}  // namespace

MPRNet::Encoder::Encoder(const Scope& p, const PRelu& act, const Hyper& h, bool fuse)
    : down{{p / "down12", h.level(0), h.level(1)}, {p / "down23", h.level(1), h.level(2)}} {
  for (int l = 0; l < 3; ++l) {
    const int c = h.level(l);
    level.emplace_back(p / numbered("encoder_level", l + 1), act, h, c, 2);
    if (!fuse) continue;
    enc.emplace_back(p / numbered("csff_enc", l + 1), c, c, 1, h.conv());
    dec.emplace_back(p / numbered("csff_dec", l + 1), c, c, 1, h.conv());
  }
}

MPRNet::Levels MPRNet::Encoder::operator()(Tensor x, const Levels& encoded,
                                           const Levels& decoded) const {
  Levels features;
  for (std::size_t l = 0; l < 3; ++l) {
    x = level[l](l > 0 ? down[l - 1](x) : x);
    if (!enc.empty()) x = x + enc[l](encoded[l]) + dec[l](decoded[l]);
    features.push_back(x);
  }
  return features;
}

MPRNet::Decoder::Decoder(const Scope& p, const PRelu& act, const Hyper& h)
    : up{{p / "up21", h.level(1), h.level(0)}, {p / "up32", h.level(2), h.level(1)}} {
  for (int l = 0; l < 3; ++l) {
    level.emplace_back(p / numbered("decoder_level", l + 1), act, h, h.level(l), 2);
    if (l < 2) skip_attn.emplace_back(p / numbered("skip_attn", l + 1), act, h, h.level(l));
  }
}

MPRNet::Levels MPRNet::Decoder::operator()(const Levels& encoded) const {
  const Tensor quarter = level[2](encoded[2]);
  const Tensor half = level[1](up[1](quarter) + skip_attn[1](encoded[1]));
  return {level[0](up[0](half) + skip_attn[0](encoded[0])), half, quarter};
}

MPRNet::ORSNet::ORSNet(const Scope& p, const PRelu& act, const Hyper& h) {
  const int wide = h.n_feat + h.scale_orsnetfeats;
  for (int i = 1; i <= 3; ++i) {
    orb.emplace_back(p / numbered("orb", i), act, h, wide);
    conv_enc.emplace_back(p / numbered("conv_enc", i), h.n_feat, wide, 1, h.conv());
    conv_dec.emplace_back(p / numbered("conv_dec", i), h.n_feat, wide, 1, h.conv());
  }
  const auto steps = [&](const std::string& name) -> std::vector<std::vector<UpSample>> {
    const Scope two = p / (name + "2");
    return {{{p / (name + "1"), h.level(1), h.level(0)}},
            {{two / 0, h.level(2), h.level(1)}, {two / 1, h.level(1), h.level(0)}}};
  };
  up_enc = steps("up_enc");
  up_dec = steps("up_dec");
}

Tensor MPRNet::ORSNet::operator()(Tensor x, const Levels& encoded, const Levels& decoded) const {
  const auto enlarged = [](const std::vector<std::vector<UpSample>>& up, const Levels& levels,
                           std::size_t l) {
    Tensor y = levels[l];
    if (l == 0) return y;
    for (const UpSample& step : up[l - 1]) y = step(y);
    return y;
  };
  for (std::size_t l = 0; l < 3; ++l) {
    x = orb[l](x);
    x = x + conv_enc[l](enlarged(up_enc, encoded, l)) + conv_dec[l](enlarged(up_dec, decoded, l));
  }
  return x;
}

MPRNet::MPRNet(const Scope& p, const Hyper& h)
    : act(p / "shallow_feat1" / 1 / "body" / 1, 1),
      shallow_feat1(p / "shallow_feat1", act, h),
      shallow_feat2(p / "shallow_feat2", act, h),
      shallow_feat3(p / "shallow_feat3", act, h),
      stage1_encoder(p / "stage1_encoder", act, h, /*fuse=*/false),
      stage1_decoder(p / "stage1_decoder", act, h),
      stage2_encoder(p / "stage2_encoder", act, h, /*fuse=*/true),
      stage2_decoder(p / "stage2_decoder", act, h),
      stage3_orsnet(p / "stage3_orsnet", act, h),
      sam12(p / "sam12", h),
      sam23(p / "sam23", h),
      concat12(p / "concat12", 2 * h.n_feat, h.n_feat, h.kernel_size, h.conv()),
      concat23(p / "concat23", 2 * h.n_feat, h.n_feat + h.scale_orsnetfeats, h.kernel_size,
               h.conv()),
      tail(p / "tail", h.n_feat + h.scale_orsnetfeats, 3, h.kernel_size, h.conv()) {}

std::vector<Tensor> MPRNet::operator()(const Tensor& image) const {
  const Tensor x = pad_to_multiple(image, 8, PadMode::kReflect);
  const auto [n, h, w, c] = x.shape();
  const Tensor halves = window_partition(x, h / 2, w), quarters = window_partition(x, h / 2, w / 2);

  Levels encoded1;  // of halves
  for (const Tensor& level : stage1_encoder(shallow_feat1(quarters))) {
    encoded1.push_back(window_merge(level, level.shape().h, 2 * level.shape().w));
  }
  const Levels decoded1 = stage1_decoder(encoded1);
  const Tensor picture1 = sam12.picture(decoded1[0], halves);
  const Tensor features2 = concat({shallow_feat2(halves), sam12(decoded1[0], picture1)});

  Levels encoded2;  // of the whole
  for (const Tensor& level : stage2_encoder(concat12(features2), encoded1, decoded1)) {
    encoded2.push_back(window_merge(level, 2 * level.shape().h, level.shape().w));
  }
  const Levels decoded2 = stage2_decoder(encoded2);
  const Tensor picture2 = sam23.picture(decoded2[0], x);
  const Tensor features3 = concat({shallow_feat3(x), sam23(decoded2[0], picture2)});

  const Tensor y = tail(stage3_orsnet(concat23(features3), encoded2, decoded2)) + x;
  const auto fitted = [&](const Tensor& t) {
    return crop(t, 0, 0, image.shape().h, image.shape().w);
  };
  return {fitted(y), fitted(picture2), fitted(window_merge(picture1, h, w))};
}

Architecture mprnet() {
  return {.name = "mprnet",
          .title = "MPRNet",
          .paper = "Zamir et al. 2021, arXiv:2102.02808",
          .signature = "shallow_feat1.0.weight, stage1_encoder.down12.down.1.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
