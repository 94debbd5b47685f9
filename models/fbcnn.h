// FBCNN (Jiang et al. 2021, arXiv:2109.14573, Fig. 2): takes JPEG's artifacts away, blind or told how
// strong they are. Parameter names: KAIR's FBCNN. x: a picture in [0,1], [N,H,W,in_nc];
// y: [N,H,W,out_nc], not clipped; qf {N,1,1,1}: 1 − quality/100, as the network estimates it.
//
//  x ─ m_head ─┬─ m_down1 ─┬─ m_down2 ─┬─ m_down3 ─ m_body_encoder ─┬─ m_body_decoder ─(+ x4) ─ m_up3 ...
//                                                                   └─ qf_pred ─ qf ─ qf_embed ─ γ, β
//
// The U-Net is DRUNet's, with biases. In m_up3, m_up2 and m_up1 every block is scaled by gamma and
// shifted by beta, which follow from qf: the network's own, or the one that is given.
#pragma once

#include <optional>
#include <vector>

#include "layers/linear.h"
#include "models/drunet.h"

namespace mend {

/// How strong the artifacts are: nb residual blocks, the mean, three linear layers.
struct QualityFactorPredictor {
  QualityFactorPredictor(const Scope& p, int channels, int nb, int hidden)
      : blocks(p, 0, nb, channels),
        linear1(p / (nb + 2), channels, hidden),
        linear2(p / (nb + 4), hidden, hidden),
        linear3(p / (nb + 6), hidden, 1) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor mean = global_average_pool(blocks(x));
    return sigmoid(linear3(relu(linear2(relu(linear1(mean))))));
  }

  ResBlocks blocks;
  Linear linear1, linear2, linear3;
};

struct QualityFactorEmbedding {
  QualityFactorEmbedding(const Scope& p, int hidden)
      : linear0(p / 0, 1, hidden), linear2(p / 2, hidden, hidden), linear4(p / 4, hidden, hidden) {}

  Tensor operator()(const Tensor& qf) const {
    return relu(linear4(relu(linear2(relu(linear0(qf))))));
  }

  Linear linear0, linear2, linear4;
};

/// Twice the size, then blocks x + gamma·res(x) + beta (the "QF attention" of Fig. 3).
struct QFAttentionBlocks {
  /// p: of the network; level: of m_up, to_gamma and to_beta.
  QFAttentionBlocks(const Scope& p, int level, int in, int out, int nb, int hidden)
      : up(p / ("m_up" + std::to_string(level)) / 0, in, out, 2, {.stride = 2}),
        blocks(p / ("m_up" + std::to_string(level)), 1, nb, out),
        to_gamma(p / ("to_gamma_" + std::to_string(level)) / 0, hidden, out),
        to_beta(p / ("to_beta_" + std::to_string(level)) / 0, hidden, out) {}

  Tensor operator()(const Tensor& x, const Tensor& qf_embedding) const {
    const Tensor gamma = sigmoid(to_gamma(qf_embedding)), beta = tanh(to_beta(qf_embedding));
    Tensor y = up(x);
    for (const ResBlock& block : blocks.blocks) y = y + (gamma * block.res(y) + beta);
    return y;
  }

  ConvTranspose2d up;
  ResBlocks blocks;
  Linear to_gamma, to_beta;
};

struct FBCNN {
  struct Hyper {
    int in_nc = 3, out_nc = 3;
    std::array<int, 4> nc = {64, 128, 256, 512};
    int nb = 4;
    int embed_dim = 512;
  };

  FBCNN(const Scope& p, const Hyper& h)
      : m_head(p / "m_head", h.in_nc, h.nc[0]),
        m_down1(p / "m_down1", h.nc[0], h.nc[1], h.nb),
        m_down2(p / "m_down2", h.nc[1], h.nc[2], h.nb),
        m_down3(p / "m_down3", h.nc[2], h.nc[3], h.nb),
        m_body_encoder(ResBlocks::body(p / "m_body_encoder", h.nb, h.nc[3])),
        m_body_decoder(ResBlocks::body(p / "m_body_decoder", h.nb, h.nc[3])),
        qf_pred(p / "qf_pred", h.nc[3], h.nb, h.embed_dim),
        qf_embed(p / "qf_embed", h.embed_dim),
        m_up3(p, 3, h.nc[3], h.nc[2], h.nb, h.embed_dim),
        m_up2(p, 2, h.nc[2], h.nc[1], h.nb, h.embed_dim),
        m_up1(p, 1, h.nc[1], h.nc[0], h.nb, h.embed_dim),
        m_tail(p / "m_tail", h.nc[0], h.out_nc) {}

  /// -> y and the estimate of qf; `qf` (or its absence) decides which one is used.
  std::vector<Tensor> operator()(const Tensor& x, const std::optional<Tensor>& qf) const {
    const Tensor x1 = m_head(pad_to_multiple(x, 8, PadMode::kReplicate));
    const Tensor x2 = m_down1(x1);
    const Tensor x3 = m_down2(x2);
    const Tensor x4 = m_down3(x3);
    const Tensor encoded = m_body_encoder(x4);
    const Tensor estimate = qf_pred(encoded);
    const Tensor embedding = qf_embed(qf.value_or(estimate));
    Tensor y = m_up3(m_body_decoder(encoded) + x4, embedding);
    y = m_up1(m_up2(y + x3, embedding) + x2, embedding);
    return {crop(m_tail(y + x1), 0, 0, x.shape().h, x.shape().w), estimate};
  }

  Conv2d m_head;
  DownBlocks m_down1, m_down2, m_down3;
  ResBlocks m_body_encoder, m_body_decoder;
  QualityFactorPredictor qf_pred;
  QualityFactorEmbedding qf_embed;
  QFAttentionBlocks m_up3, m_up2, m_up1;
  Conv2d m_tail;
};

Architecture fbcnn();

}  // namespace mend
