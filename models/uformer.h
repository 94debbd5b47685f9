// Uformer (Wang et al. 2022, arXiv:2106.03106, Fig. 2). Parameter names: the authors' Uformer,
// `dowsample` as they spell it. x: RGB in [0,1], [N,H,W,3]; y: like x, not clipped. As in the
// authors' scripts the picture lies in the middle of a black square whose side is a multiple of
// 16 windows.
//
//  x ─┬─ input_proj ─ encoderlayer_0 ─┬──────────────────────────────────── [,] ─ decoderlayer_3 ─ output_proj ─(+)─ y
//     │                    dowsample_0 └ encoderlayer_1 ─┬────────── [,] ─ decoderlayer_2 ┘ upsample_3          │
//     │                                       dowsample_1 └ ... (4 levels) ... ┘ upsample_2                     │
//     │                                                       conv                                              │
//     └─────────────────────────────────────────────────────────────────────────────────────────────────────────┘
//  block (LeWin):  ─┬─ norm1 ─ (+ modulator) ─ attn ─(+)─┬─ norm2 ─ mlp (LeFF) ─(+)─
//                   └─────────────────────────────────────┘└───────────────────────┘
//  The windows of every second block are shifted by half a window. The modulator, a learned window,
//  is added to every window of the decoder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/conv2d.h"
#include "layers/conv_transpose2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "layers/mlp.h"
#include "layers/window_attention.h"
#include "models/architecture.h"

namespace mend {

struct UformerHyper {
  static constexpr int kLevels = 4;  // halvings of the picture

  int dd_in = 3, in_chans = 3, embed_dim = 32, win_size = 8;
  /// Encoders, the middle, decoders.
  std::vector<int> depths = {1, 2, 8, 8, 2, 8, 8, 2, 1};
  std::vector<int> num_heads = {1, 2, 4, 8, 16, 16, 8, 4, 2};
  double mlp_ratio = 4;
  bool qkv_bias = true, modulator = true;
  bool shift_flag = true;          ///< whether every second block's windows are shifted
  std::string token_mlp = "leff";  ///< "leff", "fastleff" or "mlp", which "ffn" means too
  /// Of the training crops. Where a window would cover a whole crop, it is as small as the crop,
  /// and not shifted.
  int img_size = 256;
};

/// Locally enhanced feed-forward: linear ─ GELU ─ 3x3 depthwise ─ GELU ─ linear. In a "fast" one the
/// 3x3 convolution is dense.
struct LeFF {
  LeFF(const Scope& p, int dim, int hidden, bool fast)
      : linear1(p / "linear1" / 0, dim, hidden),
        dwconv(p / "dwconv" / 0, hidden, hidden, 3, {.groups = fast ? 1 : hidden}),
        linear2(p / "linear2" / 0, hidden, dim) {}

  Tensor operator()(const Tensor& x) const { return linear2(gelu(dwconv(gelu(linear1(x))))); }

  Linear linear1;
  Conv2d dwconv;
  Linear linear2;
};

/// Locally enhanced window transformer block.
struct LeWinTransformerBlock {
  LeWinTransformerBlock(const Scope& p, int dim, int heads, int window, int shift, bool modulated,
                        const UformerHyper& hyper);

  Tensor operator()(const Tensor& x) const;
  /// x with the learned window added to each of its windows.
  Tensor modulate(const Tensor& x) const;

  LayerNorm norm1;
  Tensor modulator;  // {1,window,window,dim} or absent
  Linear to_q, to_kv;
  RelativePositionBias bias;
  Linear proj;
  op::WindowAttention call;
  LayerNorm norm2;
  std::optional<LeFF> leff;  // `mlp` of the state_dict is one of the two
  std::optional<Mlp> mlp;
};

/// Blocks at one scale.
struct UformerLayer {
  /// `index` of depths and num_heads; `level`: how often the picture was halved.
  UformerLayer(const Scope& p, int dim, int index, int level, bool modulated,
               const UformerHyper& hyper);

  Tensor operator()(Tensor x) const {
    for (const LeWinTransformerBlock& block : blocks) x = block(x);
    return x;
  }

  std::vector<LeWinTransformerBlock> blocks;
};

struct Uformer {
  Uformer(const Scope& p, const UformerHyper& hyper);

  Tensor operator()(const Tensor& x) const;
  /// H and W are multiples of 16 windows.
  Tensor restore(const Tensor& x) const;

  int multiple;   // of the square's side
  bool residual;  // the authors add the picture to three channels only
  Conv2d input_proj;
  std::vector<UformerLayer> encoderlayer;
  std::vector<Conv2d> dowsample;
  UformerLayer conv;
  std::vector<ConvTranspose2d> upsample;
  std::vector<UformerLayer> decoderlayer;
  Conv2d output_proj;
};

Architecture uformer();

}  // namespace mend
