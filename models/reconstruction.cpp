#include "models/reconstruction.h"

namespace mend {
namespace {

constexpr int kOfficialFeatures = 64;

/// The product of the shuffles' factors, 0 if the shapes do not tell.
int shuffled_scale(const Checkpoint& checkpoint, int features) {
  const std::vector<int> steps = indices(checkpoint, "upsample.");  // 0, 2, 4: shuffles between
  if (steps.empty()) return 1;
  const int out = extent(checkpoint, "upsample.0.weight", 0);
  if (steps.size() == 1 && out == 9 * features) return 3;
  return out == 4 * features && steps.size() <= 4 ? 1 << steps.size() : 0;
}

}  // namespace

Reconstruction::Reconstruction(const Scope& p, const Hyper& hyper)
    : upsampler(hyper.upsampler), factor(2) {
  const int features = hyper.num_feat, out = hyper.in_chans;
  if (upsampler.empty()) {
    conv_last.emplace(p / "conv_last", hyper.embed_dim, out);
    return;
  }
  if (upsampler == "pixelshuffledirect") {
    factor = hyper.upscale;
    upsample.emplace_back(p / "upsample" / 0, hyper.embed_dim, out * factor * factor);
    return;
  }
  conv_before_upsample.emplace(p / "conv_before_upsample" / 0, hyper.embed_dim, features);
  if (upsampler == "pixelshuffle") {
    if (hyper.upscale == 3) factor = 3;
    for (int left = hyper.upscale; left > 1; left /= factor) {  // every other entry is a shuffle
      upsample.emplace_back(p / "upsample" / (2 * static_cast<int>(upsample.size())), features,
                            features * factor * factor);
    }
  } else {
    conv_up1.emplace(p / "conv_up1", features, features);
    if (hyper.upscale == 4) conv_up2.emplace(p / "conv_up2", features, features);
    conv_hr.emplace(p / "conv_hr", features, features);
  }
  conv_last.emplace(p / "conv_last", features, out);
}

Tensor Reconstruction::operator()(const Tensor& x) const {
  Tensor y = x;
  if (conv_before_upsample) y = lrelu((*conv_before_upsample)(y), 0.01f);
  for (const Conv2d& conv : upsample) y = pixel_shuffle(conv(y), factor);
  if (conv_up1) y = lrelu((*conv_up1)(upsample_nearest(y, 2)));
  if (conv_up2) y = lrelu((*conv_up2)(upsample_nearest(y, 2)));
  if (conv_hr) y = lrelu((*conv_hr)(y));
  return conv_last ? (*conv_last)(y) : y;
}

ResidualConv::ResidualConv(const Scope& p, int dim, const std::string& resi_connection) {
  if (resi_connection == "identity") return;
  if (resi_connection == "1conv") {
    conv.emplace_back(p, dim, dim);
    return;
  }
  conv.emplace_back(p / 0, dim, dim / 4);  // every other entry is an activation
  conv.emplace_back(p / 2, dim / 4, dim / 4, 1);
  conv.emplace_back(p / 4, dim / 4, dim);
}

Tensor ResidualConv::operator()(const Tensor& x) const {
  if (conv.empty()) return x;
  Tensor y = conv.front()(x);
  for (std::size_t i = 1; i < conv.size(); ++i) y = conv[i](lrelu(y));
  return y;
}

Tensor picture_mean(int channels) {
  if (channels != 3) return Tensor::zeros(vector_shape(channels));
  return Tensor::from(vector_shape(3), std::vector<float>{0.4488f, 0.4371f, 0.4040f});
}

Tensor position_embedding(const Scope& p, int size, int dim) {
  return p.dense("absolute_pos_embed", {1, std::int64_t{size} * size, dim}, {1, size, size, dim});
}

std::optional<Reconstruction::Hyper> recognise_reconstruction(const Checkpoint& checkpoint) {
  Reconstruction::Hyper h;
  h.in_chans = extent(checkpoint, "conv_first.weight", 1);
  h.embed_dim = extent(checkpoint, "conv_first.weight", 0);
  h.num_feat = extent(checkpoint, "conv_before_upsample.0.weight", 0);
  if (h.in_chans == 0 || h.embed_dim == 0) return std::nullopt;
  if (h.num_feat == 0) {
    h.num_feat = kOfficialFeatures;  // not used
    if (!has(checkpoint, "upsample.0.weight")) {
      return has(checkpoint, "conv_last.weight") ? std::optional(h) : std::nullopt;
    }
    const int out = extent(checkpoint, "upsample.0.weight", 0);
    h.upsampler = "pixelshuffledirect";
    h.upscale = out % h.in_chans == 0 ? whole_root(out / h.in_chans) : 0;
  } else if (has(checkpoint, "conv_up1.weight")) {
    h.upsampler = "nearest+conv";
    h.upscale = has(checkpoint, "conv_up2.weight") ? 4 : 2;
  } else {
    h.upsampler = "pixelshuffle";
    h.upscale = shuffled_scale(checkpoint, h.num_feat);
  }
  return h.upscale > 0 ? std::optional(h) : std::nullopt;
}

std::string recognise_resi_connection(const Checkpoint& checkpoint) {
  if (has(checkpoint, "conv_after_body.0.weight")) return "3conv";
  return has(checkpoint, "conv_after_body.weight") ? "1conv" : "identity";
}

Reconstruction::Hyper reconstruction_hyper(const Json& hyper) {
  Reconstruction::Hyper h;
  h.upsampler =
      choice(hyper, "upsampler", {"", "pixelshuffle", "pixelshuffledirect", "nearest+conv"});
  h.upscale = integer(hyper, "upscale", 1, 16);
  h.embed_dim = integer(hyper, "embed_dim", 1, 4096);
  h.num_feat = integer(hyper, "num_feat", 1, 4096);
  h.in_chans = integer(hyper, "in_chans", 1, 64);
  return h;
}

}  // namespace mend
