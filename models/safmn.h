// SAFMN (Sun et al. 2023, arXiv:2302.13800, Fig. 2): features weigh themselves at four scales.
// Parameter names: the authors' SAFMN. x: RGB in [0,1], [N,H,W,3]; y: [N,sH,sW,3], not clipped.
//
//  x ─ to_feat ─┬─ feats.0 ─ ... ─ feats.n ─(+)─ to_img: conv ─ pixel shuffle s ─ y
//               └────────────────────────────┘
//
// The authors' entry to the NTIRE 2023 challenge on efficiency is another network under the same
// names: scales half as fine, no biases and no norms inside, one norm in front, and a picture around:
//
//  x ─┬─ to_feat ─ norm ─ feats.0 ─ ... ─ feats.n ─ to_img ─(+)─ y
//     └─ bilinear ───────────────────────────────────────────┘
#pragma once

#include <optional>
#include <vector>

#include "kernels/normalization/global_response.h"
#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "models/architecture.h"

namespace mend {

/// Spatially adaptive feature modulation (Fig. 3): a quarter of the channels at each of four scales,
/// shrunk by maxima, seen by a depthwise convolution and enlarged again; together they weigh x.
struct SAFM {
  static constexpr int kLevels = 4;

  SAFM(const Scope& p, int dim, bool ntire)
      : aggr(p / "aggr", dim, dim, 1, {.bias = !ntire}), coarser(ntire ? 1 : 0) {
    const int part = dim / kLevels;
    for (int i = 0; i < kLevels; ++i) {
      mfr.emplace_back(p / "mfr" / i, part, part, 3, Conv2dOptions{.groups = part, .bias = !ntire});
    }
  }

  Tensor operator()(const Tensor& x) const {
    const auto [n, h, w, c] = x.shape();
    std::vector<Tensor> levels;
    for (int i = 0; i < kLevels; ++i) {
      const Tensor part = slice_channels(x, i * (c / kLevels), c / kLevels);
      const Conv2d& see = mfr[static_cast<std::size_t>(i)];
      levels.push_back(
          i == 0
              ? see(part)
              : spread(see(adaptive_max_pool(part, h >> (i + coarser), w >> (i + coarser))), h, w));
    }
    return gelu(aggr(concat(levels))) * x;
  }

  std::vector<Conv2d> mfr;
  Conv2d aggr;
  int coarser;  // how many more times the smaller scales are halved
};

/// Convolutional channel mixer.
struct CCM {
  CCM(const Scope& p, int dim, int hidden, bool ntire)
      : conv0(p / "ccm" / 0, dim, hidden, 3, {.bias = !ntire}),
        conv2(p / "ccm" / 2, hidden, dim, 1, {.bias = !ntire}) {}

  Tensor operator()(const Tensor& x) const { return conv2(gelu(conv0(x))); }

  Conv2d conv0, conv2;
};

/// Feature mixing module: modulate, then mix channels.
struct AttBlock {
  AttBlock(const Scope& p, int dim, int hidden, bool ntire)
      : safm(p / "safm", dim, ntire), ccm(p / "ccm", dim, hidden, ntire) {
    if (ntire) return;
    norm1.emplace(p / "norm1", dim, kLayerNorm2dEpsilon);
    norm2.emplace(p / "norm2", dim, kLayerNorm2dEpsilon);
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor y = safm(norm1 ? (*norm1)(x) : x) + x;
    return ccm(norm2 ? (*norm2)(y) : y) + y;
  }

  std::optional<LayerNorm> norm1, norm2;
  SAFM safm;
  CCM ccm;
};

/// See op::GlobalResponseNorm.
struct GlobalResponseNorm {
  GlobalResponseNorm(const Scope& p, int channels)
      : gamma(p.vector("gamma", channels)), beta(p.vector("beta", channels)) {}

  Tensor operator()(const Tensor& x) const {
    return apply(op::GlobalResponseNorm{}, {x, gamma, beta});
  }

  Tensor gamma, beta;
};

struct SAFMN {
  struct Hyper {
    int dim = 36, n_blocks = 8, upscaling_factor = 4;
    double ffn_scale = 2;
    bool ntire = false;
  };

  SAFMN(const Scope& p, const Hyper& h)
      : to_feat(p / "to_feat", 3, h.dim),
        to_img(p / "to_img" / 0, h.dim, 3 * h.upscaling_factor * h.upscaling_factor),
        upscale(h.upscaling_factor) {
    for (int i = 0; i < h.n_blocks; ++i) {
      feats.emplace_back(p / "feats" / i, h.dim, static_cast<int>(h.dim * h.ffn_scale), h.ntire);
    }
    if (h.ntire) norm.emplace(p / "norm", h.dim);
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor shallow = to_feat(x);
    Tensor deep = norm ? (*norm)(shallow) : shallow;
    for (const AttBlock& block : feats) deep = block(deep);
    if (!norm) return pixel_shuffle(to_img(deep + shallow), upscale);
    const auto [n, h, w, c] = x.shape();
    return pixel_shuffle(to_img(deep), upscale) + resize_bilinear(x, h * upscale, w * upscale);
  }

  Conv2d to_feat;
  std::optional<GlobalResponseNorm> norm;  // of the NTIRE network
  std::vector<AttBlock> feats;
  Conv2d to_img;
  int upscale;
};

Architecture safmn();

}  // namespace mend
