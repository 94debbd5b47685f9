#include "models/stylegan2.h"

#include <fmt/format.h>

#include "kernels/normalization/normalization.h"

namespace mend {
namespace {

Tensor constant(const Scope& p, int channels) {
  return p.kernel("weight", 1, 4, 4, channels);  // stored as a picture: [1, channels, 4, 4]
}

}  // namespace

Tensor restored_kernel(const Scope& p, const std::vector<std::int64_t>& stored, int K, int C,
                       int side) {
  return p.kernel_stored_as("weight", stored, K, side, side, C);
}

ModulatedConv2d::ModulatedConv2d(const Scope& p, int in, int out, int style, const Options& given)
    : modulation(p / "modulation", style, in),
      weight(restored_kernel(p, {1, out, in, given.kernel, given.kernel}, out, in, given.kernel)),
      options(given) {}

Tensor ModulatedConv2d::operator()(const Tensor& x, const Tensor& style, float gain) const {
  const Tensor scale = modulation(style);
  Tensor scaled = x * scale;
  if (options.doubles) scaled = resize_bilinear(scaled, 2 * x.shape().h, 2 * x.shape().w);
  const int padding = options.kernel / 2;
  const Tensor y = apply(op::Conv2d{.kernel_h = options.kernel,
                                    .kernel_w = options.kernel,
                                    .padding_h = padding,
                                    .padding_w = padding,
                                    .outputs = weight.shape().n},
                         {scaled, weight});
  if (!options.demodulate) return gain == 1 ? y : gain * y;
  return y * (gain * apply(op::Demodulate{}, {weight, scale}));
}

int StyleGan2Hyper::levels() const {
  int count = 0;
  for (int size = 4; size < out_size; size *= 2) ++count;
  return count;
}

StyleGan2GeneratorCsft::StyleGan2GeneratorCsft(const Scope& p, const StyleGan2Hyper& hyper)
    : sft_half(hyper.sft_half),
      constant_input(constant(p / "constant_input", hyper.channels(4))),
      style_conv1(p / "style_conv1", hyper.channels(4), hyper.channels(4), hyper.num_style_feat,
                  false),
      to_rgb1(p / "to_rgb1", hyper.channels(4), hyper.num_style_feat) {
  const int style = hyper.num_style_feat;
  for (int i = 0; i < hyper.num_mlp; ++i) {
    style_mlp.emplace_back(p / "style_mlp" / (2 * i + 1), style, style);
  }
  const auto add_noise = [&](int size) {
    const std::string name = fmt::format("noise{}", noises.size());
    noises.push_back((p / "noises").dense(name, {1, 1, size, size}, {1, size, size, 1}));
  };
  add_noise(4);
  int in = hyper.channels(4);
  for (int level = 0; level < hyper.levels(); ++level) {
    const int size = 8 << level, out = hyper.channels(size);
    style_convs.emplace_back(p / "style_convs" / (2 * level), in, out, style, true);
    style_convs.emplace_back(p / "style_convs" / (2 * level + 1), out, out, style, false);
    to_rgbs.emplace_back(p / "to_rgbs" / level, out, style);
    add_noise(size);
    add_noise(size);
    in = out;
  }
}

Tensor StyleGan2GeneratorCsft::mapped(const Tensor& normed) const {
  Tensor code = normed;
  for (const Linear& layer : style_mlp) code = lrelu(layer(code));
  return code;
}

Tensor StyleGan2GeneratorCsft::operator()(const std::vector<Tensor>& styles,
                                          const std::vector<Tensor>& scales,
                                          const std::vector<Tensor>& shifts) const {
  Tensor x = style_conv1(constant_input, styles[0], noises[0]);
  Tensor rgb = to_rgb1(x, styles[1]);
  for (std::size_t level = 0; level < to_rgbs.size(); ++level) {
    const std::size_t first = 2 * level;
    x = style_convs[first](x, styles[first + 1], noises[first + 1]);
    if (sft_half) {
      const int half = x.shape().c / 2;
      const Tensor changed = slice_channels(x, half, half) * scales[level] + shifts[level];
      x = concat({slice_channels(x, 0, half), changed});
    } else {
      x = x * scales[level] + shifts[level];
    }
    x = style_convs[first + 1](x, styles[first + 2], noises[first + 2]);
    rgb = to_rgbs[level](x, styles[first + 3], rgb);
  }
  return rgb;
}

}  // namespace mend
