// HAT (Chen et al. 2023, arXiv:2205.04437, Fig. 2). Parameter names: the authors' HAT.
// x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped. The picture is mirrored below and to the
// right up to a multiple of the window, as the authors' test model does.
//
//  x ─ (−mean)·range ─ conv_first ─┬─ norm ─ RHAG ... RHAG ─ norm ─ conv_after_body ─(+)─ Reconstruction ─ /range + mean ─ y
//                                  └─────────────────────────────────────────────────┘
//  RHAG:  ─┬─ HAB ... HAB ─ OCAB ─ conv ─(+)─
//          └─────────────────────────────┘
//           ┌─ CAB · conv_scale ───┐
//  HAB:  ─┬─┴ norm1 ─ attn ───────(+)─┬─ norm2 ─ mlp ─(+)─     (CAB behind norm1 too)
//         └────────────────────────┘  └───────────────┘
//  OCAB:  as an HAB without CAB; keys and values come from larger, overlapping windows
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/layer_norm.h"
#include "layers/mlp.h"
#include "layers/window_attention.h"
#include "models/reconstruction.h"

namespace mend {

struct HATHyper {
  Reconstruction::Hyper reconstruction;
  std::vector<int> depths = {6, 6, 6, 6, 6, 6}, num_heads = {6, 6, 6, 6, 6, 6};
  int window_size = 16;
  int compress_ratio = 3, squeeze_factor = 30;
  double mlp_ratio = 2, overlap_ratio = 0.5;
  float conv_scale = 0.01f;
  std::string resi_connection = "1conv";
  bool qkv_bias = true, patch_norm = true, ape = false;
  int img_size = 64;  ///< of the training crops; where one window covers them, none is shifted
  float img_range = 1;

  int mlp_width() const { return scaled_width(reconstruction.embed_dim, mlp_ratio); }
};

/// Channel attention block: two convolutions, then a gate for each channel from the global mean.
///   x ─ cab.0 ─ GELU ─ cab.2 ─┬─ mean ─ attention.1 ─ ReLU ─ attention.3 ─ sigmoid ─(x)─
///                             └─────────────────────────────────────────────────────┘
struct CAB {
  CAB(const Scope& p, int features, int compress_ratio, int squeeze_factor)
      : cab_0(p / "cab" / 0, features, features / compress_ratio),
        cab_2(p / "cab" / 2, features / compress_ratio, features),
        attention_1(p / "cab" / 3 / "attention" / 1, features, features / squeeze_factor, 1),
        attention_3(p / "cab" / 3 / "attention" / 3, features / squeeze_factor, features, 1) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = cab_2(gelu(cab_0(x)));
    return y * sigmoid(attention_3(relu(attention_1(global_average_pool(y)))));
  }

  Conv2d cab_0, cab_2, attention_1, attention_3;
};

/// Hybrid attention block.
struct HAB {
  HAB(const Scope& p, int heads, int shift, const HATHyper& hyper)
      : norm1(p / "norm1", hyper.reconstruction.embed_dim),
        attn(p / "attn", hyper.reconstruction.embed_dim,
             {hyper.window_size, shift, heads, hyper.qkv_bias}),
        conv_block(p / "conv_block", hyper.reconstruction.embed_dim, hyper.compress_ratio,
                   hyper.squeeze_factor),
        norm2(p / "norm2", hyper.reconstruction.embed_dim),
        mlp(p / "mlp", hyper.reconstruction.embed_dim, hyper.mlp_width()),
        conv_scale(hyper.conv_scale) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor normed = norm1(x);
    const Tensor y = x + attn(normed) + conv_scale * conv_block(normed);
    return y + mlp(norm2(y));
  }

  LayerNorm norm1;
  WindowAttention attn;
  CAB conv_block;
  LayerNorm norm2;
  Mlp mlp;
  float conv_scale;
};

/// Overlapping cross-attention block.
struct OCAB {
  OCAB(const Scope& p, int heads, const HATHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  LayerNorm norm1;
  Linear qkv;
  Tensor relative_position_bias_table;  // {1,1,entries,heads}
  Linear proj;
  LayerNorm norm2;
  Mlp mlp;
  op::WindowAttention call;
};

/// Residual hybrid attention group.
struct RHAG {
  RHAG(const Scope& p, int depth, int heads, const HATHyper& hyper)
      : overlap_attn(p / "residual_group" / "overlap_attn", heads, hyper),
        conv(p / "conv", hyper.reconstruction.embed_dim, hyper.resi_connection) {
    const int shift = hyper.img_size > hyper.window_size ? hyper.window_size / 2 : 0;
    for (int i = 0; i < depth; ++i) {
      residual_group.emplace_back(p / "residual_group" / "blocks" / i, heads,
                                  i % 2 == 0 ? 0 : shift, hyper);
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (const HAB& block : residual_group) y = block(y);
    return x + conv(overlap_attn(y));
  }

  std::vector<HAB> residual_group;
  OCAB overlap_attn;
  ResidualConv conv;
};

struct HAT {
  HAT(const Scope& p, const HATHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  int window_size, upscale;
  float img_range;
  Tensor mean;
  Conv2d conv_first;
  std::optional<LayerNorm> patch_embed;
  Tensor absolute_pos_embed;  // {1,img_size,img_size,embed_dim} or absent
  std::vector<RHAG> layers;
  LayerNorm norm;
  ResidualConv conv_after_body;
  Reconstruction reconstruction;
};

Architecture hat();

}  // namespace mend
