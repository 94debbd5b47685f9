// The encoder and the generator of VQGAN (Esser et al. 2021, arXiv:2012.09841) as CodeFormer has
// them. Parameter names: CodeFormer's vqgan_arch, whose `blocks` are numbered in the order of the
// figure, whatever they are.
//
//  encoder:    conv ─ [ (ResBlock ─ AttnBlock?) x res_blocks ─ Downsample ] x levels ─ middle ─ norm ─
//              conv                                              (none behind the last level)
//  generator:  conv ─ middle ─ [ (ResBlock ─ AttnBlock?) x res_blocks ─ Upsample ] x levels ─ norm ─
//              conv                                              (coarse to fine, none at the end)
//  middle:     ResBlock ─ AttnBlock ─ ResBlock
//
// Levels whose resolution is in attn_resolutions have the AttnBlocks.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "kernels/attention/attention.h"
#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/group_norm.h"

namespace mend {

constexpr float kVqNormEpsilon = 1e-6f;

/// x ─ norm1 ─ swish ─ conv1 ─ norm2 ─ swish ─ conv2 ─(+)─ y
/// └─────────────── conv_out, if the width changes ────┘
struct VqResBlock {
  VqResBlock(const Scope& p, int in, int out, int groups)
      : norm1(p / "norm1", in, groups, kVqNormEpsilon),
        conv1(p / "conv1", in, out),
        norm2(p / "norm2", out, groups, kVqNormEpsilon),
        conv2(p / "conv2", out, out) {
    if (in != out) conv_out.emplace(p / "conv_out", in, out, 1);
  }

  Tensor operator()(const Tensor& x) const {
    const Tensor y = conv2(silu(norm2(conv1(silu(norm1(x))))));
    return y + (conv_out ? (*conv_out)(x) : x);
  }

  GroupNorm norm1;
  Conv2d conv1;
  GroupNorm norm2;
  Conv2d conv2;
  std::optional<Conv2d> conv_out;
};

/// One head of attention among all pixels, added to its input.
struct VqAttnBlock {
  VqAttnBlock(const Scope& p, int channels, int groups)
      : norm(p / "norm", channels, groups, kVqNormEpsilon),
        q(p / "q", channels, channels, 1),
        k(p / "k", channels, channels, 1),
        v(p / "v", channels, channels, 1),
        proj_out(p / "proj_out", channels, channels, 1),
        attend{.heads = 1, .scale = 1 / std::sqrt(static_cast<float>(channels))} {}

  Tensor operator()(const Tensor& x) const {
    const auto [n, h, w, c] = x.shape();
    const Tensor y = norm(x);
    const Tensor mixed = apply(attend, {tokens(q(y)), tokens(k(y)), tokens(v(y))});
    return x + proj_out(reshape(mixed, n, h, w));
  }

  GroupNorm norm;
  Conv2d q, k, v, proj_out;
  op::Attention attend;
};

/// Half the size; the padding is below and to the right alone.
struct VqDownsample {
  VqDownsample(const Scope& p, int channels)
      : conv(p / "conv", channels, channels, 3, {.stride = 2, .padding = 0}) {}

  Tensor operator()(const Tensor& x) const {
    return conv(pad(x, {.bottom = 1, .right = 1}, PadMode::kConstant));
  }

  Conv2d conv;
};

struct VqUpsample {
  VqUpsample(const Scope& p, int channels) : conv(p / "conv", channels, channels) {}

  Tensor operator()(const Tensor& x) const { return conv(upsample_nearest(x, 2)); }

  Conv2d conv;
};

using VqBlock = std::variant<Conv2d, VqResBlock, VqAttnBlock, VqDownsample, VqUpsample, GroupNorm>;

inline Tensor run(const VqBlock& block, const Tensor& x) {
  return std::visit([&](const auto& layer) { return layer(x); }, block);
}

struct VqHyper {
  int img_size = 512, nf = 64;
  std::vector<int> ch_mult = {1, 2, 2, 4, 4, 8};
  int res_blocks = 2;
  std::vector<int> attn_resolutions = {16};
  int emb_dim = 256;
  int norm_groups = 32;

  int levels() const { return static_cast<int>(ch_mult.size()); }
  int resolution(int level) const { return img_size >> level; }
  int width(int level) const { return nf * ch_mult[static_cast<std::size_t>(level)]; }
  bool attends(int level) const {
    return std::find(attn_resolutions.begin(), attn_resolutions.end(), resolution(level)) !=
           attn_resolutions.end();
  }
};

/// [N,R,R,3] -> [N,r,r,emb_dim], r = R / 2^(levels − 1)
struct VqEncoder {
  VqEncoder(const Scope& p, const VqHyper& hyper);

  std::vector<VqBlock> blocks;
  /// Resolution -> the block behind which CodeFormer reads the features of that size: the level's
  /// last ResBlock.
  std::map<int, std::size_t> read_behind;
};

/// [N,r,r,emb_dim] -> [N,R,R,3]
struct VqGenerator {
  VqGenerator(const Scope& p, const VqHyper& hyper);

  std::vector<VqBlock> blocks;
  /// Resolution -> the block behind which CodeFormer changes the features of that size: the level's
  /// first ResBlock, or where it has attention the last.
  std::map<int, std::size_t> fuse_behind;
};

}  // namespace mend
