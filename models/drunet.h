// DRUNet, the denoiser of DPIR (Zhang et al. 2021, arXiv:2008.13751, Fig. 2).
// Parameter names: KAIR's UNetRes. x: a picture in [0,1] with the noise level sigma as its last
// channel, [N,H,W,in_nc]; y: [N,H,W,out_nc], not clipped.
//
//  x ─ m_head ─┬─ m_down1 ─┬─ m_down2 ─┬─ m_down3 ─ m_body ─ m_up3 ─ m_up2 ─ m_up1 ─ m_tail ─ y
//              │           │           └───────────────────(+)       │       │
//              │           └────────────────────────────────────────(+)     │
//              └────────────────────────────────────────────────────────────(+)
//
// m_down: nb residual blocks, then a 2x2 convolution of stride 2. m_up: its transpose, then nb
// blocks. Every skip is added before an m_up or m_tail. Without biases the network is homogeneous.
#pragma once

#include <array>
#include <vector>

#include "layers/conv2d.h"
#include "layers/conv_transpose2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

/// x + conv(relu(conv(x))); KAIR's ResBlock in mode "CRC".
struct ResBlock {
  ResBlock(const Scope& p, int channels, bool bias = true)
      : conv0(p / "res" / 0, channels, channels, 3, {.bias = bias}),
        conv2(p / "res" / 2, channels, channels, 3, {.bias = bias}) {}

  Tensor res(const Tensor& x) const { return conv2(relu(conv0(x))); }
  Tensor operator()(const Tensor& x) const { return x + res(x); }

  Conv2d conv0, conv2;
};

/// ResBlocks path.first, path.(first + 1), ...
struct ResBlocks {
  ResBlocks(const Scope& p, int first, int count, int channels, bool bias = true) {
    for (int i = 0; i < count; ++i) blocks.emplace_back(p / (first + i), channels, bias);
  }

  /// A stage of such blocks and nothing else. KAIR does not number the only module of a sequence.
  static ResBlocks body(const Scope& p, int count, int channels, bool bias = true) {
    ResBlocks body(p, 0, count == 1 ? 0 : count, channels, bias);
    if (count == 1) body.blocks.emplace_back(p, channels, bias);
    return body;
  }

  Tensor operator()(Tensor x) const {
    for (const ResBlock& block : blocks) x = block(x);
    return x;
  }

  std::vector<ResBlock> blocks;
};

/// Residual blocks, then half the size.
struct DownBlocks {
  DownBlocks(const Scope& p, int in, int out, int nb, bool bias = true)
      : blocks(p, 0, nb, in, bias),
        down(p / nb, in, out, 2, {.stride = 2, .padding = 0, .bias = bias}) {}

  Tensor operator()(const Tensor& x) const { return down(blocks(x)); }

  ResBlocks blocks;
  Conv2d down;
};

struct DRUNet {
  struct Hyper {
    int in_nc = 4, out_nc = 3;
    std::array<int, 4> nc = {64, 128, 256, 512};
    int nb = 4;
    bool bias = false;
  };

  /// Twice the size, then residual blocks.
  struct UpBlocks {
    UpBlocks(const Scope& p, int in, int out, int nb, bool bias)
        : up(p / 0, in, out, 2, {.stride = 2, .bias = bias}), blocks(p, 1, nb, out, bias) {}

    Tensor operator()(const Tensor& x) const { return blocks(up(x)); }

    ConvTranspose2d up;
    ResBlocks blocks;
  };

  DRUNet(const Scope& p, const Hyper& h)
      : m_head(p / "m_head", h.in_nc, h.nc[0], 3, {.bias = h.bias}),
        m_down1(p / "m_down1", h.nc[0], h.nc[1], h.nb, h.bias),
        m_down2(p / "m_down2", h.nc[1], h.nc[2], h.nb, h.bias),
        m_down3(p / "m_down3", h.nc[2], h.nc[3], h.nb, h.bias),
        m_body(ResBlocks::body(p / "m_body", h.nb, h.nc[3], h.bias)),
        m_up3(p / "m_up3", h.nc[3], h.nc[2], h.nb, h.bias),
        m_up2(p / "m_up2", h.nc[2], h.nc[1], h.nb, h.bias),
        m_up1(p / "m_up1", h.nc[1], h.nc[0], h.nb, h.bias),
        m_tail(p / "m_tail", h.nc[0], h.out_nc, 3, {.bias = h.bias}) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor x1 = m_head(pad_to_multiple(x, 8, PadMode::kReplicate));
    const Tensor x2 = m_down1(x1);
    const Tensor x3 = m_down2(x2);
    const Tensor x4 = m_down3(x3);
    Tensor y = m_up3(m_body(x4) + x4);
    y = m_up1(m_up2(y + x3) + x2);
    return crop(m_tail(y + x1), 0, 0, x.shape().h, x.shape().w);
  }

  Conv2d m_head;
  DownBlocks m_down1, m_down2, m_down3;
  ResBlocks m_body;
  UpBlocks m_up3, m_up2, m_up1;
  Conv2d m_tail;
};

/// The widths and depth that DRUNet and FBCNN tell by the same keys; none if keys are missing.
struct KairUNetWidths {
  std::array<int, 4> nc;
  int nb;
};
std::optional<KairUNetWidths> kair_unet_widths(const Checkpoint& checkpoint);

Architecture drunet();

}  // namespace mend
