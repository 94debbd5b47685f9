#include "models/span.h"

#include <string>

namespace mend {
namespace {

struct Merged {
  Tensor weight, bias;
};

/// Σ_m w3[o,m] · Σ_j w2[m,j,r,s] · w1[j,i], and sk[o,i] in the middle; sums in double.
Merged merge(const Scope& p, int in, int out, int wide_in, int wide_out) {
  const auto pixels = [](const Tensor& tensor) { return tensor.view<const float>(); };
  const Scope conv = p / "conv";
  const Tensor w1 = (conv / 0).kernel("weight", wide_in, 1, 1, in);
  const Tensor w2 = (conv / 1).kernel("weight", wide_out, 3, 3, wide_in);
  const Tensor w3 = (conv / 2).kernel("weight", out, 1, 1, wide_out);
  const Tensor sk = (p / "sk").kernel("weight", out, 1, 1, in);
  const Tensor b1 = (conv / 0).vector("bias", wide_in), b2 = (conv / 1).vector("bias", wide_out);
  const Tensor b3 = (conv / 2).vector("bias", out), b_sk = (p / "sk").vector("bias", out);
  const auto v1 = pixels(w1), v2 = pixels(w2), v3 = pixels(w3), v_sk = pixels(sk);

  const Merged merged = {Tensor::empty({out, 3, 3, in}), Tensor::empty(vector_shape(out))};
  const auto weight = merged.weight.view<float>(), bias = merged.bias.view<float>();
  std::vector<double> first_two(static_cast<std::size_t>(wide_out) * static_cast<std::size_t>(in));
  const auto at = [&](int m, int i) -> double& {
    return first_two[static_cast<std::size_t>(m) * static_cast<std::size_t>(in) +
                     static_cast<std::size_t>(i)];
  };
  for (int r = 0; r < 3; ++r)
    for (int s = 0; s < 3; ++s) {
      for (int m = 0; m < wide_out; ++m)
        for (int i = 0; i < in; ++i) {
          at(m, i) = 0;
          for (int j = 0; j < wide_in; ++j) at(m, i) += double{v2(m, r, s, j)} * v1(j, 0, 0, i);
        }
      for (int o = 0; o < out; ++o)
        for (int i = 0; i < in; ++i) {
          double sum = r == 1 && s == 1 ? v_sk(o, 0, 0, i) : 0.0;
          for (int m = 0; m < wide_out; ++m) sum += v3(o, 0, 0, m) * at(m, i);
          weight(o, r, s, i) = static_cast<float>(sum);
        }
    }
  for (int o = 0; o < out; ++o) {
    double sum = double{pixels(b3)(0, 0, 0, o)} + pixels(b_sk)(0, 0, 0, o);
    for (int m = 0; m < wide_out; ++m) {
      double inner = pixels(b2)(0, 0, 0, m);
      for (int r = 0; r < 3; ++r)
        for (int s = 0; s < 3; ++s)
          for (int j = 0; j < wide_in; ++j)
            inner += double{v2(m, r, s, j)} * pixels(b1)(0, 0, 0, j);
      sum += v3(o, 0, 0, m) * inner;
    }
    bias(0, 0, 0, o) = static_cast<float>(sum);
  }
  return merged;
}

/// What the convolution `path` gives: the merged one tells if the others are not there.
int outputs_of(const Checkpoint& checkpoint, const std::string& path) {
  const int outputs = extent(checkpoint, path + ".conv.2.weight", 0);
  return outputs > 0 ? outputs : extent(checkpoint, path + ".eval_conv.weight", 0);
}
int inputs_of(const Checkpoint& checkpoint, const std::string& path) {
  const int inputs = extent(checkpoint, path + ".conv.0.weight", 1);
  return inputs > 0 ? inputs : extent(checkpoint, path + ".eval_conv.weight", 1);
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int in = inputs_of(checkpoint, "conv_1");
  const int features = outputs_of(checkpoint, "block_1.c1_r");
  const int last = extent(checkpoint, "upsampler.0.weight", 0);
  if (in == 0 || features == 0 || last == 0 || !has(checkpoint, "conv_cat.weight")) {
    return std::nullopt;
  }
  const int upscale = last % in == 0 ? whole_root(last / in) : 0;
  if (upscale == 0) return std::nullopt;
  std::vector<int> blocks = indices(checkpoint, "block_", "c1_r.conv.0.weight");
  if (blocks.empty()) blocks = indices(checkpoint, "block_", "c1_r.eval_conv.weight");
  if (blocks.back() < 2) return std::nullopt;
  Recognised recognised;
  recognised.fixed = {{"num_in_ch", in},
                      {"num_out_ch", in},
                      {"feature_channels", features},
                      {"upscale", upscale},
                      {"num_blocks", blocks.back()}};
  // Some trainers leave the normalisation out, and say so by a key.
  const bool raw = has(checkpoint, "no_norm");
  const Json mean = in == 3 && !raw ? Json{0.4488, 0.4371, 0.4040}
                                    : Json(std::vector<float>(static_cast<std::size_t>(in), 0));
  (raw ? recognised.fixed : recognised.defaults)
      .update({{"img_range", raw ? 1.0 : 255.0}, {"rgb_mean", mean}});
  return recognised;
}

Built make(const Scope& p, const Json& hyper) {
  SPAN::Hyper h;
  h.num_in_ch = integer(hyper, "num_in_ch", 1, 64);
  h.num_out_ch = integer(hyper, "num_out_ch", 1, 64);
  h.feature_channels = integer(hyper, "feature_channels", 1, 1024);
  h.upscale = integer(hyper, "upscale", 1, 16);
  h.num_blocks = integer(hyper, "num_blocks", 2, 1024);
  h.img_range = number(hyper, "img_range");
  h.rgb_mean = numbers(hyper, "rgb_mean", static_cast<std::size_t>(h.num_in_ch));
  p.ignore("no_norm");  // a flag: that it is there says all
  Traits traits(TilePolicy::kExactHalo);
  traits.tasks = {"upscale"};
  if (h.upscale == 1) traits.tasks = {"denoise", "dejpeg"};
  traits.scale = h.upscale;
  traits.input_channels = h.num_in_ch;
  traits.colour = h.num_in_ch == 1 ? Colour::kGray : Colour::kRgb;
  return {traits, image_to_image(SPAN(p, h))};
}

}  // namespace

Conv3XC::Conv3XC(const Scope& p, int in, int out) {
  call.kernel_h = call.kernel_w = 3;
  call.padding_h = call.padding_w = 1;
  call.outputs = out;
  const auto wide = (p / "conv" / 1).shape_of("weight");
  if (wide.size() == 4) {
    const Merged merged = merge(p, in, out, static_cast<int>(wide[1]), static_cast<int>(wide[0]));
    weight = p.derived("eval_conv.weight", merged.weight, {"conv", "sk"});
    bias = p.derived("eval_conv.bias", merged.bias, {"conv", "sk"});
    p.ignore("eval_conv");
  } else {
    weight = (p / "eval_conv").kernel("weight", out, 3, 3, in);
    bias = (p / "eval_conv").vector("bias", out);
  }
}

Architecture span() {
  return {.name = "span",
          .title = "SPAN",
          .paper = "Wan et al. 2024, arXiv:2311.12770",
          .signature = "conv_cat.weight, block_1.c1_r.conv.0.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
