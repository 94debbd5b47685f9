// SwinIR (Liang et al. 2021, arXiv:2108.10257, Fig. 2). Parameter names: the authors' SwinIR.
// x: RGB or gray in [0,1], [N,H,W,C]; y: [N,sH,sW,C], not clipped. The picture is mirrored below
// and to the right up to a multiple of the window.
//
//  x ─ (−mean)·range ─ conv_first ─┬─ norm ─ RSTB ... RSTB ─ norm ─ conv_after_body ─(+)─ Reconstruction ─ /range + mean ─ y
//                                  └─────────────────────────────────────────────────┘
//  without upsampler:  x ─┬─ ... ─ conv_last ─(+)─ y
//                         └───────────────────┘
//  RSTB:  ─┬─ STL ... STL ─ conv ─(+)─        STL:  ─┬─ norm1 ─ attn ─(+)─┬─ norm2 ─ mlp ─(+)─
//          └──────────────────────┘                  └────────────────┘   └───────────────┘
//  The windows of every second STL are shifted by half a window.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/layer_norm.h"
#include "layers/mlp.h"
#include "layers/window_attention.h"
#include "models/reconstruction.h"

namespace mend {

struct SwinIRHyper {
  Reconstruction::Hyper reconstruction;
  std::vector<int> depths = {6, 6, 6, 6, 6, 6}, num_heads = {6, 6, 6, 6, 6, 6};
  int window_size = 8;
  double mlp_ratio = 2;
  std::string resi_connection = "1conv";
  bool qkv_bias = true, patch_norm = true, ape = false;
  int img_size = 64;  ///< of the training crops; where one window covers them, none is shifted
  float img_range = 1;
};

/// The Swin transformer layer, STL.
struct SwinTransformerBlock {
  SwinTransformerBlock(const Scope& p, int heads, int shift, const SwinIRHyper& hyper)
      : norm1(p / "norm1", hyper.reconstruction.embed_dim),
        attn(p / "attn", hyper.reconstruction.embed_dim,
             {hyper.window_size, shift, heads, hyper.qkv_bias}),
        norm2(p / "norm2", hyper.reconstruction.embed_dim),
        mlp(p / "mlp", hyper.reconstruction.embed_dim,
            scaled_width(hyper.reconstruction.embed_dim, hyper.mlp_ratio)) {
    p.ignore("attn_mask");  // of training crops; the attention knows where windows meet
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor y = x + attn(norm1(x));
    return y + mlp(norm2(y));
  }

  LayerNorm norm1;
  WindowAttention attn;
  LayerNorm norm2;
  Mlp mlp;
};

/// The residual Swin transformer block.
struct RSTB {
  RSTB(const Scope& p, int depth, int heads, const SwinIRHyper& hyper)
      : conv(p / "conv", hyper.reconstruction.embed_dim, hyper.resi_connection) {
    const int shift = hyper.img_size > hyper.window_size ? hyper.window_size / 2 : 0;
    for (int i = 0; i < depth; ++i) {
      residual_group.emplace_back(p / "residual_group" / "blocks" / i, heads,
                                  i % 2 == 0 ? 0 : shift, hyper);
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (const SwinTransformerBlock& layer : residual_group) y = layer(y);
    return x + conv(y);
  }

  std::vector<SwinTransformerBlock> residual_group;
  ResidualConv conv;
};

struct SwinIR {
  SwinIR(const Scope& p, const SwinIRHyper& hyper);

  Tensor operator()(const Tensor& x) const;
  /// conv_first to conv_after_body. x: H and W multiples of the window.
  Tensor features(const Tensor& x) const;

  int window_size, upscale;
  float img_range;
  Tensor mean;
  Conv2d conv_first;
  std::optional<LayerNorm> patch_embed;
  Tensor absolute_pos_embed;  // {1,img_size,img_size,embed_dim} or absent
  std::vector<RSTB> layers;
  LayerNorm norm;
  ResidualConv conv_after_body;
  Reconstruction reconstruction;
};

Architecture swinir();

}  // namespace mend
