// CodeFormer, restoration of aligned faces (Zhou et al. 2022, arXiv:2206.11253, Fig. 4). Parameter
// names: the authors' CodeFormer. x: RGB in [-1,1], [N,R,R,3], an aligned face, R = img_size (512);
// y: RGB in about [-1,1], like x.
//
//  x ─ encoder ─ lq_feat ─ feat_emb ─ ft_layers ─ idx_pred_layer ─ logits ─ the best code of each
//        │          └── statistics of the whole ──────────────────── adain ─ token ─┘
//        │ features                                                    │
//        └─────────────── fuse_convs_dict, as much as w ────────── generator ─ y
//
// w = 0: only what the codebook knows of faces; w = 1: most of what the picture shows. The official
// code never runs the fusion at w = 0. Parts: models/vqgan.h.
#pragma once

#include <map>
#include <vector>

#include "layers/layer_norm.h"
#include "layers/linear.h"
#include "layers/multihead_attention.h"
#include "models/architecture.h"
#include "models/vqgan.h"

namespace mend {

/// Self-attention and an MLP, each normed before and added after; the position is added to queries
/// and keys alone.
struct TransformerSALayer {
  TransformerSALayer(const Scope& p, int dim, int heads)
      : self_attn(p / "self_attn", dim, heads),
        linear1(p / "linear1", dim, 2 * dim),
        linear2(p / "linear2", 2 * dim, dim),
        norm1(p / "norm1", dim),
        norm2(p / "norm2", dim) {}

  Tensor operator()(const Tensor& x, const Tensor& position) const {
    const Tensor normed = norm1(x);
    const Tensor placed = normed + position;
    const Tensor mixed = x + self_attn(placed, placed, normed);
    return mixed + linear2(gelu(linear1(norm2(mixed))));
  }

  MultiheadAttention self_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2;
};

/// The generator's features, scaled and shifted by what the encoder saw (Fig. 4, right).
struct FuseSftBlock {
  struct Branch {
    Branch(const Scope& p, int channels)
        : conv_0(p / 0, channels, channels), conv_2(p / 2, channels, channels) {}

    Tensor operator()(const Tensor& x) const { return conv_2(lrelu(conv_0(x))); }

    Conv2d conv_0, conv_2;
  };

  FuseSftBlock(const Scope& p, int channels, int groups)
      : encode_enc(p / "encode_enc", 2 * channels, channels, groups),
        scale(p / "scale", channels),
        shift(p / "shift", channels) {}

  Tensor operator()(const Tensor& encoded, const Tensor& decoded, float w) const {
    const Tensor features = encode_enc(concat({encoded, decoded}));
    return decoded + w * (decoded * scale(features) + shift(features));
  }

  VqResBlock encode_enc;
  Branch scale, shift;
};

struct CodeFormer {
  struct Hyper {
    VqHyper vq;
    int dim_embd = 512, n_head = 8, n_layers = 9;
    int codebook_size = 1024, latent_size = 256;
    std::vector<int> connect_list = {32, 64, 128, 256};  // resolutions
    float w = 0.5f;                                      // fidelity
    bool adain = true;
  };

  CodeFormer(const Scope& p, const Hyper& hyper);

  /// -> output, logits [N,1,latent_size,codebook_size], lq_feat
  std::vector<Tensor> operator()(const Tensor& x) const;

  float w;
  bool adain;
  Tensor position_emb;  // {1,1,latent_size,dim_embd}
  VqEncoder encoder;
  Linear feat_emb;
  std::vector<TransformerSALayer> ft_layers;
  LayerNorm idx_pred_layer_0;
  Linear idx_pred_layer_1;
  Tensor quantize_embedding;  // {1,1,codebook_size,emb_dim}
  VqGenerator generator;
  std::map<int, FuseSftBlock> fuse_convs_dict;  // by resolution
};

Architecture codeformer();

}  // namespace mend
