// SCUNet (Zhang et al. 2023, arXiv:2203.13278, Fig. 2). Parameter names: the authors' SCUNet.
// x: RGB or gray in [0,1], [N,H,W,C]; y: like x, not clipped. The picture is continued below and to
// the right by its last pixels up to a multiple of 64.
//
//  x ─ m_head ─┬─ m_down1 ─┬─ m_down2 ─┬─ m_down3 ─┬─ m_body ─(+)─ m_up3 ─(+)─ m_up2 ─(+)─ m_up1 ─(+)─ m_tail ─ y
//              │           │           │           └──────────┘          │            │            │
//              │           │           └─────────────────────────────────┘            │            │
//              │           └──────────────────────────────────────────────────────────┘            │
//              └───────────────────────────────────────────────────────────────────────────────────┘
//  m_downK: blocks ─ conv 2x2 /2      m_upK: transposed conv 2x2 x2 ─ blocks
//  block (SC):  ─┬─ conv1_1 ─┬─ conv_block ─(+ itself)─┬─ conv1_2 ─(+)─
//                │           └─ trans_block ───────────┘            │
//                └──────────────────────────────────────────────────┘
//  The windows of every second block are shifted by half a window.
#pragma once

#include <vector>

#include "kernels/attention/attention.h"
#include "layers/conv2d.h"
#include "layers/conv_transpose2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"
#include "models/architecture.h"

namespace mend {

struct SCUNetHyper {
  int in_nc = 3, dim = 64, head_dim = 32, window_size = 8;
  std::vector<int> config = {4, 4, 4, 4, 4, 4, 4};  // blocks: down1, 2, 3, body, up3, 2, 1
  int input_resolution = 256;  ///< of the training crops; where one window covers them, none is
                               ///< shifted
};

/// Attention among the pixels of a window, masked by −infinity.
struct WMSA {
  WMSA(const Scope& p, int dim, int shift, const SCUNetHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  Linear embedding_layer;
  Tensor relative_position_params;  // {1,1,heads,positions}
  Linear linear;
  op::WindowAttention call;
};

/// The Swin transformer block of the second half of the channels.
struct SwinBlock {
  SwinBlock(const Scope& p, int dim, int shift, const SCUNetHyper& hyper)
      : ln1(p / "ln1", dim),
        msa(p / "msa", dim, shift, hyper),
        ln2(p / "ln2", dim),
        mlp_0(p / "mlp" / 0, dim, 4 * dim),
        mlp_2(p / "mlp" / 2, 4 * dim, dim) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = x + msa(ln1(x));
    return y + mlp_2(gelu(mlp_0(ln2(y))));
  }

  LayerNorm ln1;
  WMSA msa;
  LayerNorm ln2;
  Linear mlp_0, mlp_2;
};

/// The swin-conv block, SC: half the channels are convolved, half attend to each other.
struct ConvTransBlock {
  ConvTransBlock(const Scope& p, int dim, int shift, const SCUNetHyper& hyper)
      : conv1_1(p / "conv1_1", dim, dim, 1),
        conv_block_0(p / "conv_block" / 0, dim / 2, dim / 2, 3, {.bias = false}),
        conv_block_2(p / "conv_block" / 2, dim / 2, dim / 2, 3, {.bias = false}),
        trans_block(p / "trans_block", dim / 2, shift, hyper),
        conv1_2(p / "conv1_2", dim, dim, 1) {}

  Tensor operator()(const Tensor& x) const {
    const int half = x.shape().c / 2;
    const Tensor both = conv1_1(x);
    const Tensor local = slice_channels(both, 0, half);
    const Tensor convolved = conv_block_2(relu(conv_block_0(local))) + local;
    const Tensor attended = trans_block(slice_channels(both, half, half));
    return x + conv1_2(concat({convolved, attended}));
  }

  Conv2d conv1_1, conv_block_0, conv_block_2;
  SwinBlock trans_block;
  Conv2d conv1_2;
};

/// Blocks at one scale, numbered from `first` in the scope.
struct ConvTransBlocks {
  ConvTransBlocks(const Scope& p, int first, int count, int dim, int resolution,
                  const SCUNetHyper& hyper);

  Tensor operator()(Tensor x) const {
    for (const ConvTransBlock& block : blocks) x = block(x);
    return x;
  }

  std::vector<ConvTransBlock> blocks;
};

struct SCUNet {
  struct Down {  // halves the picture, doubles the channels
    Down(const Scope& p, int count, int dim, int resolution, const SCUNetHyper& hyper)
        : blocks(p, 0, count, dim, resolution, hyper),
          conv(p / count, dim, 2 * dim, 2, {.stride = 2, .padding = 0, .bias = false}) {}

    Tensor operator()(const Tensor& x) const { return conv(blocks(x)); }

    ConvTransBlocks blocks;
    Conv2d conv;
  };

  struct Up {  // doubles the picture, halves the channels to `dim`
    Up(const Scope& p, int count, int dim, int resolution, const SCUNetHyper& hyper)
        : conv(p / 0, 2 * dim, dim, 2, {.stride = 2, .bias = false}),
          blocks(p, 1, count, dim, resolution, hyper) {}

    Tensor operator()(const Tensor& x) const { return blocks(conv(x)); }

    ConvTranspose2d conv;
    ConvTransBlocks blocks;
  };

  SCUNet(const Scope& p, const SCUNetHyper& hyper);

  Tensor operator()(const Tensor& x) const;

  int multiple;  // of height and width inside
  Conv2d m_head;
  Down m_down1, m_down2, m_down3;
  ConvTransBlocks m_body;
  Up m_up3, m_up2, m_up1;
  Conv2d m_tail;
};

Architecture scunet();

}  // namespace mend
