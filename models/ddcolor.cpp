#include "models/ddcolor.h"

#include <fmt/format.h>

#include "engine/error.h"

namespace mend {
namespace {

constexpr int kMultiple = 32;  // four stages, the first of which divides by 4

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  std::vector<int> depths, dims;
  for (int stage = 0; stage < 4; ++stage) {
    const std::string path = fmt::format("encoder.arch.stages.{}.", stage);
    const std::vector<int> blocks = indices(checkpoint, path, "gamma");
    depths.push_back(blocks.empty() ? 0 : blocks.back() + 1);
    dims.push_back(extent(checkpoint, path + "0.gamma", 0));
    if (dims.back() == 0) return std::nullopt;
  }
  const std::string decoder = "decoder.color_decoder.";
  const int queries = extent(checkpoint, decoder + "query_feat.weight", 0);
  const int hidden = extent(checkpoint, decoder + "query_feat.weight", 1);
  const int scales = extent(checkpoint, decoder + "level_embed.weight", 0);
  const std::vector<int> layers =
      indices(checkpoint, decoder + "transformer_ffn_layers.", "linear1.weight");
  const int feedforward =
      extent(checkpoint, decoder + "transformer_ffn_layers.0.linear1.weight", 0);
  const int nf = extent(checkpoint, "decoder.layers.0.conv.0.weight_orig", 0);
  const int out = extent(checkpoint, "refine_net.0.0.weight_orig", 0);
  if (queries == 0 || hidden == 0 || scales == 0 || layers.empty() || feedforward == 0 || nf == 0 ||
      out == 0) {
    return std::nullopt;
  }
  Recognised recognised;
  recognised.fixed = {{"depths", depths},
                      {"dims", dims},
                      {"nf", nf},
                      {"num_output_channels", out},
                      {"last_norm", "Spectral"},
                      {"num_queries", queries},
                      {"num_scales", scales},
                      {"dec_layers", layers.back() + 1},
                      {"hidden_dim", hidden},
                      {"ff", feedforward}};
  recognised.defaults = {{"nheads", hidden % 8 == 0 ? 8 : 1}, {"do_normalize", false}};
  if (dims == std::vector<int>{96, 192, 384, 768}) recognised.fixed["encoder_name"] = "convnext-t";
  if (dims == std::vector<int>{192, 384, 768, 1536}) {
    recognised.fixed["encoder_name"] = "convnext-l";
  }
  return recognised;
}

Built make(const Scope& p, const Json& hyper) {
  DDColor::Hyper h;
  h.depths = integers(hyper, "depths", 1, 1024, 4);
  h.dims = integers(hyper, "dims", 1, 4096, 4);
  h.nf = integer(hyper, "nf", 2, 4096);
  h.num_output_channels = integer(hyper, "num_output_channels", 1, 4);
  h.decoder.hidden_dim = integer(hyper, "hidden_dim", 4, 4096);
  h.decoder.num_queries = integer(hyper, "num_queries", 1, 4096);
  h.decoder.num_scales = integer(hyper, "num_scales", 1, 3);
  h.decoder.dec_layers = integer(hyper, "dec_layers", 1, 1024);
  h.decoder.nheads = integer(hyper, "nheads", 1, 4096);
  h.decoder.dim_feedforward = integer(hyper, "ff", 1, 4096);
  if (flag(hyper, "do_normalize")) {
    throw CheckpointError(
        "DDColor: do_normalize is for networks that draw RGB; this one draws a*b*");
  }
  Traits traits(TilePolicy::kWholeImage);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {"colorize"};
  traits.colour = Colour::kGrayLightness;
  traits.working_size = 512;
  traits.smallest = kMultiple;
  const auto net = std::make_shared<const DDColor>(p, h);
  return {
      traits, [net](const std::vector<Tensor>& inputs) {
        const Shape& shape = inputs[0].shape();
        if (shape.h % kMultiple != 0 || shape.w % kMultiple != 0) {
          throw ShapeError(fmt::format("DDColor: sides must be multiples of {}, but input is {}",
                                       kMultiple, to_string(shape)));
        }
        return std::vector<Tensor>{(*net)(inputs[0])};
      }};
}

}  // namespace

Architecture ddcolor() {
  return {.name = "ddcolor",
          .title = "DDColor",
          .paper = "Kang et al. 2023, arXiv:2212.11613",
          .signature = "encoder.arch.stages.0.0.gamma, decoder.color_decoder.query_feat.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
