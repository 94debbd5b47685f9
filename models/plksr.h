// PLKSR (Lee et al. 2024, arXiv:2404.11848, Fig. 3): one very large kernel on a part of the channels.
// Parameter names: the authors' PLKSR; RealPLKSR (neosr) adds norms and has other names and indices.
// x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped.
//
//  x ─┬─ feats.0 ─ PLKBlock feats.1 ─ ... ─ conv ─(+)─ pixel shuffle s ─ y
//     └─ every channel s² times ───────────────────┘
//
// The sum before the shuffle is the nearest enlargement of x. RealPLKSR may have DySample there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "models/architecture.h"
#include "models/dysample.h"

namespace mend {

/// conv ─ GELU (RealPLKSR: mish) ─ conv. The 3x3 may be both (DCCM), the first (CCM) or the second
/// (ICCM).
struct ChannelMixer {
  ChannelMixer(const Scope& p, int dim, int first_kernel, int second_kernel, bool with_mish)
      : conv0(p / 0, dim, 2 * dim, first_kernel),
        conv2(p / 2, 2 * dim, dim, second_kernel),
        mish_between(with_mish) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor y = conv0(x);
    return conv2(mish_between ? mish(y) : gelu(y));
  }

  Conv2d conv0, conv2;
  bool mish_between;
};

/// Fig. 3b: mixes channels, sees far with a part of them, attends to elements.
struct PLKBlock {
  struct Hyper {
    bool real = false;  // RealPLKSR
    int first_kernel = 3, second_kernel = 3;
    int dim = 64;
    int large_channels = 16, kernel_size = 17;  // of the large kernel
    bool use_ea = true;
    int norm_groups = 0;      // of RealPLKSR's group norm; 0: none
    bool layer_norm = false;  // before the mixer, instead of the group norm
  };

  PLKBlock(const Scope& p, const Hyper& h)
      : mixer(p / (h.real ? "channel_mixer" : "channe_mixer"), h.dim, h.first_kernel,
              h.second_kernel, h.real),
        lk(p / "lk" / "conv", h.large_channels, h.large_channels, h.kernel_size),
        refine(p / "refine", h.dim, h.dim, 1) {
    if (h.use_ea) attn.emplace(p / "attn" / "f" / 0, h.dim, h.dim);
    if (h.layer_norm) layer_norm.emplace(p / "layer_norm", h.dim, kLayerNorm2dEpsilon);
    if (h.norm_groups > 0) {
      norm.emplace(GroupNorm{(p / "norm").vector("weight", h.dim),
                             (p / "norm").vector("bias", h.dim),
                             op::GroupNorm{.groups = h.norm_groups}});
    }
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor mixed = mixer(layer_norm ? (*layer_norm)(x) : x);
    const int part = lk.call.outputs, others = mixed.shape().c - part;
    Tensor y = lk(slice_channels(mixed, 0, part));
    if (others > 0) y = concat({y, slice_channels(mixed, part, others)});
    if (attn) y = y * sigmoid((*attn)(y));
    y = refine(y);
    if (norm) y = apply(norm->call, {y, norm->weight, norm->bias});
    return y + x;
  }

  struct GroupNorm {
    Tensor weight, bias;
    op::GroupNorm call;
  };

  ChannelMixer mixer;
  Conv2d lk, refine;
  std::optional<Conv2d> attn;  // element-wise attention: every number weighs itself
  std::optional<LayerNorm> layer_norm;
  std::optional<GroupNorm> norm;
};

struct PLKSR {
  struct Hyper {
    PLKBlock::Hyper block;
    int n_blocks = 28, upscaling_factor = 4;
    bool dysample = false;
    int last = 29;  // the index of the last convolution: RealPLKSR counts a dropout before it
  };

  PLKSR(const Scope& p, const Hyper& h)
      : first(p / "feats" / 0, 3, h.block.dim),
        last(p / "feats" / h.last, h.block.dim, 3 * h.upscaling_factor * h.upscaling_factor),
        upscale(h.upscaling_factor) {
    if (h.dysample) {
      to_img.emplace(p / "to_img", 3 * upscale * upscale, 3, upscale, upscale % 2 != 0 ? 3 : 4);
    }
    for (int i = 1; i <= h.n_blocks; ++i) blocks.emplace_back(p / "feats" / i, h.block);
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = first(x);
    for (const PLKBlock& block : blocks) y = block(y);
    const Tensor enlarged = upsample_nearest(x, upscale);
    if (to_img) return (*to_img)(last(y) + pixel_unshuffle(enlarged, upscale));
    return pixel_shuffle(last(y), upscale) + enlarged;
  }

  Conv2d first;
  std::vector<PLKBlock> blocks;
  Conv2d last;
  std::optional<DySample> to_img;
  int upscale;
};

Architecture plksr();

}  // namespace mend
