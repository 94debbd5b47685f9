#include "models/vqgan.h"

namespace mend {
namespace {

/// Appends blocks, each under its number.
class Builder {
 public:
  Builder(const Scope& p, const VqHyper& hyper, std::vector<VqBlock>& blocks)
      : p_(p / "blocks"), hyper_(hyper), blocks_(blocks) {}

  void conv(int in, int out) { blocks_.emplace_back(Conv2d(next(), in, out)); }
  void norm(int channels) {
    blocks_.emplace_back(GroupNorm(next(), channels, hyper_.norm_groups, kVqNormEpsilon));
  }
  void res_block(int in, int out) {
    blocks_.emplace_back(VqResBlock(next(), in, out, hyper_.norm_groups));
  }
  void attn_block(int channels) {
    blocks_.emplace_back(VqAttnBlock(next(), channels, hyper_.norm_groups));
  }
  void downsample(int channels) { blocks_.emplace_back(VqDownsample(next(), channels)); }
  void upsample(int channels) { blocks_.emplace_back(VqUpsample(next(), channels)); }
  void middle(int channels) {
    res_block(channels, channels);
    attn_block(channels);
    res_block(channels, channels);
  }
  /// Returns the indices of the first and the last ResBlock.
  std::pair<std::size_t, std::size_t> level(int index, int in) {
    const int out = hyper_.width(index);
    std::size_t first = blocks_.size(), last = first;
    for (int i = 0; i < hyper_.res_blocks; ++i) {
      last = blocks_.size();
      res_block(i == 0 ? in : out, out);
      if (hyper_.attends(index)) attn_block(out);
    }
    return {first, last};
  }

 private:
  Scope next() const { return p_ / static_cast<int>(blocks_.size()); }

  Scope p_;
  const VqHyper& hyper_;
  std::vector<VqBlock>& blocks_;
};

}  // namespace

VqEncoder::VqEncoder(const Scope& p, const VqHyper& hyper) {
  Builder build(p, hyper, blocks);
  build.conv(3, hyper.nf);
  int width = hyper.nf;
  for (int level = 0; level < hyper.levels(); ++level) {
    read_behind[hyper.resolution(level)] = build.level(level, width).second;
    width = hyper.width(level);
    if (level + 1 < hyper.levels()) build.downsample(width);
  }
  build.middle(width);
  build.norm(width);
  build.conv(width, hyper.emb_dim);
}

VqGenerator::VqGenerator(const Scope& p, const VqHyper& hyper) {
  Builder build(p, hyper, blocks);
  int width = hyper.width(hyper.levels() - 1);
  build.conv(hyper.emb_dim, width);
  build.middle(width);
  for (int level = hyper.levels() - 1; level >= 0; --level) {
    const auto [first, last] = build.level(level, width);
    fuse_behind[hyper.resolution(level)] = hyper.attends(level) ? last : first;
    width = hyper.width(level);
    if (level > 0) build.upsample(width);
  }
  build.norm(width);
  build.conv(width, 3);
}

}  // namespace mend
