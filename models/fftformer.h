// FFTformer, deblurring in the frequency domain (Kong et al. 2023, arXiv:2211.12250, Fig. 2).
// Parameter names: the authors' fftformer. x: RGB in [0,1], [N,H,W,3]; y: [N,H,W,3], not clipped.
// The picture is mirrored below and to the right up to a multiple of 32.
//
//  x ─┬─ patch_embed ─ encoder_level1 ─┬────────────────────── fuse1 ─ decoder_level1 ─ refinement ─ output ─(+)─ y
//     │                        down1_2 └ encoder_level2 ─┬─ fuse2 ─ decoder_level2 ┘ up2_1                    │
//     │                                          down2_3 └ encoder_level3 ─ decoder_level3 ┘ up3_2            │
//     └───────────────────────────────────────────────────────────────────────────────────────────────────────┘
//  block:  ─┬─ norm1 ─ FSAS ─(+)─┬─ norm2 ─ DFFN ─(+)─      the encoder's blocks have no FSAS
//           └────────────────────┘└───────────────┘
//
// Products of spectra in patches of 8 x 8 pixels stand for the correlations of an attention. Deblurred
// this way the result is sensitive to rounding: single precision alone costs some 2e-5.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "models/architecture.h"

namespace mend {

struct FFTformerHyper {
  int inp_channels = 3, out_channels = 3, dim = 48;
  std::vector<int> num_blocks = {6, 6, 12};
  int num_refinement_blocks = 4;
  double ffn_expansion_factor = 3;
  bool bias = false;
};

constexpr int kSpectralPatch = 8;

/// Frequency domain-based self-attention solver (Fig. 2a; equations 3 to 5):
///   y = project_out(v · LN(F⁻¹(F(q)·F(k)))),   F over patches of 8 x 8
struct FSAS {
  FSAS(const Scope& p, int dim, bool bias)
      : to_hidden(p / "to_hidden", dim, 6 * dim, 1, {.bias = bias}),
        to_hidden_dw(p / "to_hidden_dw", 6 * dim, 6 * dim, 3, {.groups = 6 * dim, .bias = bias}),
        norm(p / "norm" / "body", 2 * dim),
        project_out(p / "project_out", 2 * dim, dim, 1, {.bias = bias}) {}

  Tensor operator()(const Tensor& x) const {
    const int wide = 2 * x.shape().c;
    const Tensor qkv = to_hidden_dw(to_hidden(x));
    const Tensor q = spectrum(slice_channels(qkv, 0, wide));
    const Tensor k = spectrum(slice_channels(qkv, wide, wide));
    const Tensor v = slice_channels(qkv, 2 * wide, wide);
    const Tensor correlation =
        inverse_real_fft2(complex_multiply(q, k), x.shape().w, FftNorm::kBackward, kSpectralPatch);
    return project_out(v * norm(correlation));
  }

  static Tensor spectrum(const Tensor& x) {
    return real_fft2(x, FftNorm::kBackward, kSpectralPatch);
  }

  Conv2d to_hidden, to_hidden_dw;
  LayerNorm norm;
  Conv2d project_out;
};

/// Discriminative frequency domain-based feed-forward network (Fig. 2b; equation 6): the gated
/// network of Restormer, with a learned gain for each frequency of a patch.
struct DFFN {
  DFFN(const Scope& p, int dim, int hidden, bool bias);

  Tensor operator()(const Tensor& x) const {
    const Tensor wide = project_in(x);
    const Tensor spectrum = real_fft2(wide, FftNorm::kBackward, kSpectralPatch);
    const Tensor both = dwconv(inverse_real_fft2(spectral_gain(spectrum, fft), x.shape().w,
                                                 FftNorm::kBackward, kSpectralPatch));
    const int hidden = both.shape().c / 2;
    return project_out(gelu(slice_channels(both, 0, hidden)) *
                       slice_channels(both, hidden, hidden));
  }

  Conv2d project_in;
  Tensor fft;  // {1,8,5,2·hidden}
  Conv2d dwconv, project_out;
};

struct FFTformerBlock {
  FFTformerBlock(const Scope& p, int dim, double expansion, bool bias, bool att)
      : norm2(p / "norm2" / "body", dim),
        ffn(p / "ffn", dim, static_cast<int>(dim * expansion), bias) {
    if (!att) return;
    norm1.emplace(p / "norm1" / "body", dim);
    attn.emplace(p / "attn", dim, bias);
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor y = attn ? x + (*attn)((*norm1)(x)) : x;
    return y + ffn(norm2(y));
  }

  std::optional<LayerNorm> norm1;
  std::optional<FSAS> attn;
  LayerNorm norm2;
  DFFN ffn;
};

/// Joins the features of the encoder and of the decoder.
struct FFTformerFuse {
  FFTformerFuse(const Scope& p, int n_feat)
      : conv(p / "conv", 2 * n_feat, 2 * n_feat, 1),
        att_channel(p / "att_channel", 2 * n_feat, 2.66, /*bias=*/false, /*att=*/false),
        conv2(p / "conv2", 2 * n_feat, 2 * n_feat, 1) {}

  Tensor operator()(const Tensor& decoded, const Tensor& encoded) const {
    const Tensor both = conv2(att_channel(conv(concat({decoded, encoded}))));
    const int n_feat = decoded.shape().c;
    return slice_channels(both, 0, n_feat) + slice_channels(both, n_feat, n_feat);
  }

  Conv2d conv;
  FFTformerBlock att_channel;
  Conv2d conv2;
};

struct FFTformer {
  using Blocks = std::vector<FFTformerBlock>;

  FFTformer(const Scope& p, const FFTformerHyper& hyper)
      : patch_embed_proj(p / "patch_embed" / "proj", hyper.inp_channels, hyper.dim, 3,
                         {.bias = false}),
        encoder_level1(blocks(p / "encoder_level1", 0, hyper, false)),
        down1_2(p / "down1_2" / "body" / 1, hyper.dim, 2 * hyper.dim, 3, {.bias = false}),
        encoder_level2(blocks(p / "encoder_level2", 1, hyper, false)),
        down2_3(p / "down2_3" / "body" / 1, 2 * hyper.dim, 4 * hyper.dim, 3, {.bias = false}),
        encoder_level3(blocks(p / "encoder_level3", 2, hyper, false)),
        decoder_level3(blocks(p / "decoder_level3", 2, hyper, true)),
        up3_2(p / "up3_2" / "body" / 1, 4 * hyper.dim, 2 * hyper.dim, 3, {.bias = false}),
        reduce_chan_level2(p / "reduce_chan_level2", 4 * hyper.dim, 2 * hyper.dim, 1,
                           {.bias = hyper.bias}),
        fuse2(p / "fuse2", 2 * hyper.dim),
        decoder_level2(blocks(p / "decoder_level2", 1, hyper, true)),
        up2_1(p / "up2_1" / "body" / 1, 2 * hyper.dim, hyper.dim, 3, {.bias = false}),
        fuse1(p / "fuse1", hyper.dim),
        decoder_level1(blocks(p / "decoder_level1", 0, hyper, true)),
        refinement(blocks(p / "refinement", 3, hyper, true)),
        output(p / "output", hyper.dim, hyper.out_channels, 3, {.bias = hyper.bias}) {}

  Tensor operator()(const Tensor& picture) const {
    const Tensor x = pad_to_multiple(picture, 4 * kSpectralPatch, PadMode::kReflect);
    const Tensor encoded1 = run(encoder_level1, patch_embed_proj(x));
    const Tensor encoded2 = run(encoder_level2, down1_2(resized(encoded1, 1, 2)));
    const Tensor encoded3 = run(encoder_level3, down2_3(resized(encoded2, 1, 2)));
    Tensor y = run(decoder_level3, encoded3);
    y = run(decoder_level2, fuse2(up3_2(resized(y, 2, 1)), encoded2));
    y = run(decoder_level1, fuse1(up2_1(resized(y, 2, 1)), encoded1));
    y = output(run(refinement, y)) + x;
    return crop(y, 0, 0, picture.shape().h, picture.shape().w);
  }

  Conv2d patch_embed_proj;
  Blocks encoder_level1;
  Conv2d down1_2;
  Blocks encoder_level2;
  Conv2d down2_3;
  Blocks encoder_level3, decoder_level3;
  Conv2d up3_2;
  Conv2d reduce_chan_level2;  // in the official network too it is there, but not used
  FFTformerFuse fuse2;
  Blocks decoder_level2;
  Conv2d up2_1;
  FFTformerFuse fuse1;
  Blocks decoder_level1, refinement;
  Conv2d output;

 private:
  /// The blocks of `level` 0, 1, 2, or the refinement's, 3.
  static Blocks blocks(const Scope& p, int level, const FFTformerHyper& hyper, bool att);
  static Tensor run(const Blocks& blocks, Tensor x);
  /// x by the factor up/down, bilinear.
  static Tensor resized(const Tensor& x, int up, int down) {
    return resize_bilinear(x, x.shape().h * up / down, x.shape().w * up / down);
  }
};

Architecture fftformer();

}  // namespace mend
