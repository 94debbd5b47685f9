// What the transformers that follow SwinIR share: how features become the picture, and the
// convolution at the end of a group of blocks (Liang et al. 2021, arXiv:2108.10257, Fig. 2).
// Parameter names: SwinIR's, at the root of the network.
//
//  pixelshuffle        ─ conv_before_upsample ─ leaky 0.01 ─ upsample (conv ─ shuffle) x n ─ conv_last ─
//  pixelshuffledirect  ─ upsample: conv ─ shuffle ─
//  nearest+conv        ─ conv_before_upsample ─ leaky 0.01 ─ ↑2 conv_up1 (─ ↑2 conv_up2) ─ conv_hr ─ conv_last ─
//  (none)              ─ conv_last ─
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "models/architecture.h"

namespace mend {

struct Reconstruction {
  struct Hyper {
    std::string upsampler;  ///< "pixelshuffle", "pixelshuffledirect", "nearest+conv", ""
    int upscale = 1;
    int embed_dim = 180;
    int num_feat = 64;
    int in_chans = 3;  ///< of the output too
  };

  Reconstruction(const Scope& p, const Hyper& hyper);

  /// [N,H,W,embed_dim] -> [N,upscale·H,upscale·W,in_chans]
  Tensor operator()(const Tensor& x) const;

  std::string upsampler;
  std::optional<Conv2d> conv_before_upsample;
  std::vector<Conv2d> upsample;  // each followed by a pixel shuffle
  int factor;                    // of each pixel shuffle
  std::optional<Conv2d> conv_up1, conv_up2, conv_hr;
  std::optional<Conv2d> conv_last;
};

/// "1conv": a 3x3 convolution. "3conv": 3x3 to a quarter of the channels ─ 1x1 ─ 3x3 back, leaky
/// 0.2 between. "identity": none. x [N,H,W,dim] -> y like x.
struct ResidualConv {
  ResidualConv(const Scope& p, int dim, const std::string& resi_connection);

  Tensor operator()(const Tensor& x) const;

  std::vector<Conv2d> conv;
};

/// The mean of the pictures that such networks were trained on: that of DIV2K for RGB, else 0.
Tensor picture_mean(int channels);

/// `absolute_pos_embed` [1,size²,dim] of pictures of size x size pixels, to which such networks are
/// bound: {1,size,size,dim}
Tensor position_embedding(const Scope& p, int size, int dim);

/// What keys and shapes tell of the reconstruction; nothing if they fit no upsampler.
std::optional<Reconstruction::Hyper> recognise_reconstruction(const Checkpoint& checkpoint);

/// "1conv", "3conv" or "identity", by the keys of conv_after_body.
std::string recognise_resi_connection(const Checkpoint& checkpoint);

/// The entries upsampler, upscale, embed_dim, num_feat, in_chans, checked.
Reconstruction::Hyper reconstruction_hyper(const Json& hyper);

}  // namespace mend
