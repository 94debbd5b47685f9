#include "models/codeformer.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "kernels/code_lookup/code_lookup.h"
#include "kernels/normalization/adaptive_instance.h"

namespace mend {
namespace {

constexpr int kMostLevels = 10;

/// What the encoder's numbered blocks say; `levels` is empty if they are not those of a VQGAN.
struct EncoderShape {
  std::vector<int> widths;    // of each level
  std::vector<bool> attends;  // likewise
  int res_blocks = 0;
};

EncoderShape read_encoder(const Checkpoint& checkpoint) {
  EncoderShape shape;
  const auto has_block = [&](int block, const char* key) {
    return has(checkpoint, fmt::format("encoder.blocks.{}.{}", block, key));
  };
  int block = 1;
  for (int level = 0; level < kMostLevels; ++level) {
    const bool attends = has_block(block + 1, "q.weight");
    const int step = attends ? 2 : 1;
    if (level == 0) {
      while (has_block(block + step * shape.res_blocks, "conv1.weight")) ++shape.res_blocks;
    }
    const int end = block + step * shape.res_blocks;
    shape.widths.push_back(
        extent(checkpoint, fmt::format("encoder.blocks.{}.conv1.weight", block), 0));
    shape.attends.push_back(attends);
    if (!has_block(end, "conv.weight")) return shape;  // no Downsample: that was the last level
    block = end + 1;
  }
  return {};
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int latent_size = extent(checkpoint, "position_emb", 0);
  const int dim_embd = extent(checkpoint, "position_emb", 1);
  const int codebook_size = extent(checkpoint, "quantize.embedding.weight", 0);
  const int emb_dim = extent(checkpoint, "quantize.embedding.weight", 1);
  const int nf = extent(checkpoint, "encoder.blocks.0.weight", 0);
  const std::vector<int> layers = indices(checkpoint, "ft_layers.", "linear1.weight");
  const int side = whole_root(latent_size);
  if (dim_embd == 0 || codebook_size == 0 || emb_dim == 0 || nf == 0 || layers.empty() ||
      side == 0 || !has(checkpoint, "idx_pred_layer.1.weight")) {
    return std::nullopt;
  }
  const EncoderShape encoder = read_encoder(checkpoint);
  if (encoder.widths.empty() || encoder.res_blocks == 0) return std::nullopt;
  const int levels = static_cast<int>(encoder.widths.size());
  const int img_size = side << (levels - 1);
  Json ch_mult = Json::array(), attn_resolutions = Json::array(), connect_list = Json::array();
  for (int level = 0; level < levels; ++level) {
    const auto i = static_cast<std::size_t>(level);
    if (encoder.widths[i] == 0 || encoder.widths[i] % nf != 0) return std::nullopt;
    ch_mult.push_back(encoder.widths[i] / nf);
    if (encoder.attends[i]) attn_resolutions.push_back(img_size >> level);
  }
  for (const int size : indices(checkpoint, "fuse_convs_dict.", "encode_enc.conv1.weight")) {
    connect_list.push_back(std::to_string(size));
  }
  return Recognised{
      .fixed = {{"img_size", img_size},
                {"nf", nf},
                {"ch_mult", ch_mult},
                {"res_blocks", encoder.res_blocks},
                {"attn_resolutions", attn_resolutions},
                {"emb_dim", emb_dim},
                {"dim_embd", dim_embd},
                {"n_layers", layers.back() + 1},
                {"codebook_size", codebook_size},
                {"latent_size", latent_size},
                {"connect_list", connect_list}},
      .defaults = {
          {"n_head", dim_embd % 8 == 0 ? 8 : 1}, {"norm_groups", 32}, {"w", 0.5}, {"adain", true}}};
}

void check_groups(const VqHyper& hyper) {
  for (int level = 0; level < hyper.levels(); ++level) {
    if (hyper.width(level) % hyper.norm_groups == 0 && hyper.nf % hyper.norm_groups == 0) continue;
    throw CheckpointError(fmt::format(
        "CodeFormer: norm_groups {} do not divide its widths {} and {}; give another: --config "
        "'{{\"norm_groups\": ...}}'",
        hyper.norm_groups, hyper.nf, hyper.width(level)));
  }
}

CodeFormer::Hyper read_hyper(const Json& hyper) {
  CodeFormer::Hyper h;
  h.vq.img_size = integer(hyper, "img_size", 1, 4096);
  h.vq.nf = integer(hyper, "nf", 1, 4096);
  h.vq.ch_mult = integers(hyper, "ch_mult", 1, 4096);
  h.vq.res_blocks = integer(hyper, "res_blocks", 1, 1024);
  h.vq.attn_resolutions.clear();
  for (const Json& size : hyper.at("attn_resolutions")) h.vq.attn_resolutions.push_back(size);
  h.vq.emb_dim = integer(hyper, "emb_dim", 1, 4096);
  h.vq.norm_groups = integer(hyper, "norm_groups", 1, 4096);
  h.dim_embd = integer(hyper, "dim_embd", 1, 4096);
  h.n_head = integer(hyper, "n_head", 1, 4096);
  h.n_layers = integer(hyper, "n_layers", 1, 1024);
  h.codebook_size = integer(hyper, "codebook_size", 1, 4096);
  h.latent_size = integer(hyper, "latent_size", 1, 4096);
  h.connect_list.clear();
  for (const Json& size : hyper.at("connect_list")) {
    h.connect_list.push_back(std::stoi(size.get<std::string>()));
  }
  h.w = static_cast<float>(ratio(hyper, "w", 0, 1));
  h.adain = flag(hyper, "adain");
  return h;
}

Built make(const Scope& p, const Json& hyper) {
  const CodeFormer::Hyper h = read_hyper(hyper);
  check_groups(h.vq);
  Traits traits(TilePolicy::kWholeImage);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {"face"};
  traits.smallest = traits.working_size = h.vq.img_size;
  traits.black = -1;
  traits.outputs = {"output", "logits", "lq_feat"};
  traits.token_outputs = {"logits"};
  traits.tiles_change = "the network takes pictures of one size";
  const auto net = std::make_shared<const CodeFormer>(p, h);
  const int side = h.vq.img_size;
  return {
      traits, [net, side](const std::vector<Tensor>& inputs) {
        const Shape& shape = inputs[0].shape();
        if (shape.h != side || shape.w != side) {
          throw ShapeError(fmt::format("CodeFormer: input is {}, but this one takes {} x {} pixels",
                                       to_string(shape), side, side));
        }
        return (*net)(inputs[0]);
      }};
}

/// The level of this resolution. Throws CheckpointError if there is none.
int level_of(const VqHyper& hyper, int resolution) {
  for (int level = 0; level < hyper.levels(); ++level) {
    if (hyper.resolution(level) == resolution) return level;
  }
  throw CheckpointError(
      fmt::format("CodeFormer: fuse_convs_dict.{} fuses features of a size that the network, {} "
                  "pixels in {} levels, does not have",
                  resolution, hyper.img_size, hyper.levels()));
}

}  // namespace

CodeFormer::CodeFormer(const Scope& p, const Hyper& hyper)
    : w(hyper.w),
      adain(hyper.adain),
      position_emb(p.matrix("position_emb", hyper.latent_size, hyper.dim_embd)),
      encoder(p / "encoder", hyper.vq),
      feat_emb(p / "feat_emb", hyper.vq.emb_dim, hyper.dim_embd),
      idx_pred_layer_0(p / "idx_pred_layer" / 0, hyper.dim_embd),
      idx_pred_layer_1(p / "idx_pred_layer" / 1, hyper.dim_embd, hyper.codebook_size, false),
      quantize_embedding(
          p.matrix("quantize.embedding.weight", hyper.codebook_size, hyper.vq.emb_dim)),
      generator(p / "generator", hyper.vq) {
  for (int i = 0; i < hyper.n_layers; ++i) {
    ft_layers.emplace_back(p / "ft_layers" / i, hyper.dim_embd, hyper.n_head);
  }
  for (const int size : hyper.connect_list) {
    fuse_convs_dict.try_emplace(size, p / "fuse_convs_dict" / size,
                                hyper.vq.width(level_of(hyper.vq, size)), hyper.vq.norm_groups);
  }
}

std::vector<Tensor> CodeFormer::operator()(const Tensor& picture) const {
  std::map<int, Tensor> encoded;  // features by resolution
  Tensor x = picture;
  for (std::size_t i = 0; i < encoder.blocks.size(); ++i) {
    x = run(encoder.blocks[i], x);
    const int size = x.shape().w;
    if (fuse_convs_dict.contains(size) && encoder.read_behind.at(size) == i) encoded[size] = x;
  }
  const Tensor lq_feat = x;
  const auto [n, h, w_, c] = lq_feat.shape();

  Tensor query = feat_emb(tokens(lq_feat));
  for (const TransformerSALayer& layer : ft_layers) query = layer(query, position_emb);
  const Tensor logits = idx_pred_layer_1(idx_pred_layer_0(query));
  const Tensor codes = apply(op::CodeLookup{}, {logits, quantize_embedding});

  x = reshape(codes, n, h, w_);
  if (adain) x = apply(op::AdaptiveInstanceNorm{}, {x, lq_feat});
  for (std::size_t i = 0; i < generator.blocks.size(); ++i) {
    x = run(generator.blocks[i], x);
    const int size = x.shape().w;
    const auto fuse = fuse_convs_dict.find(size);
    if (w > 0 && fuse != fuse_convs_dict.end() && generator.fuse_behind.at(size) == i) {
      x = fuse->second(encoded.at(size), x, w);
    }
  }
  return {x, logits, lq_feat};
}

Architecture codeformer() {
  return {.name = "codeformer",
          .title = "CodeFormer",
          .paper = "Zhou et al. 2022, arXiv:2206.11253",
          .signature = "position_emb, quantize.embedding.weight, ft_layers.0.linear1.weight",
          .aliases = {{"emb", "emb_dim"}},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
