#include "models/lama.h"

#include <fmt/format.h>

namespace mend {
namespace {

/// Whether entry `index` of the model is one FFC, not a block of two.
bool is_single(const Checkpoint& checkpoint, int index) {
  return has(checkpoint, fmt::format("model.{}.ffc.convl2l.weight", index));
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int ngf = extent(checkpoint, "model.1.ffc.convl2l.weight", 0);
  const int in = extent(checkpoint, "model.1.ffc.convl2l.weight", 1);
  const std::vector<int> blocks = indices(checkpoint, "model.", "conv1.ffc.convl2l.weight");
  int levels = 0;
  while (levels < 8 && is_single(checkpoint, 2 + levels)) ++levels;
  if (ngf == 0 || in < 2 || blocks.empty() || levels == 0) return std::nullopt;
  const std::string deepest = fmt::format("model.{}.ffc.", 1 + levels);
  const int local = extent(checkpoint, deepest + "convl2l.weight", 0);
  const int global = extent(checkpoint, deepest + "convl2g.weight", 0);
  const int count = static_cast<int>(blocks.size());
  const int out = extent(checkpoint, fmt::format("model.{}.weight", 4 + 4 * levels + count), 0);
  if (local == 0 || global == 0 || out == 0) return std::nullopt;
  const bool capped = local + global < ngf << levels;
  return Recognised{.fixed = {{"input_nc", in},
                              {"output_nc", out},
                              {"ngf", ngf},
                              {"n_downsampling", levels},
                              {"n_blocks", count},
                              {"enable_lfu", false},
                              {"padding", "reflect"},
                              {"fft_norm", "ortho"}},
                    // Several of them give the same shapes.
                    .defaults = {{"ratio_g", static_cast<double>(global) / (local + global)},
                                 {"max_features", capped ? local + global : 1024}}};
}

Built make(const Scope& p, const Json& hyper) {
  LaMa::Hyper h;
  h.input_nc = integer(hyper, "input_nc", 2, 16);
  h.output_nc = integer(hyper, "output_nc", 1, 16);
  h.ngf = integer(hyper, "ngf", 1, 4096);
  h.n_downsampling = integer(hyper, "n_downsampling", 1, 8);
  h.n_blocks = integer(hyper, "n_blocks", 1, 1024);
  h.max_features = integer(hyper, "max_features", 1, 4096);
  h.ratio_g = number(hyper, "ratio_g");
  Traits traits(TilePolicy::kWholeImage);
  traits.tasks = {"inpaint"};
  traits.inputs = {"input", "mask"};
  traits.condition = Condition::kMask;
  traits.input_channels = h.input_nc - 1;
  traits.colour = traits.input_channels == 1 ? Colour::kGray : Colour::kRgb;
  // Mirrored up to a multiple, of which two pixels are left to mirror at the lowest resolution.
  traits.smallest = (1 << h.n_downsampling) + 1;
  const auto net = std::make_shared<const LaMa>(p, h);
  return {traits, [net](const std::vector<Tensor>& inputs) {
            return std::vector<Tensor>{(*net)(inputs[0], inputs[1])};
          }};
}

}  // namespace

Architecture lama() {
  return {.name = "lama",
          .title = "LaMa",
          .paper = "Suvorov et al. 2022, arXiv:2109.07161",
          .signature = "model.1.ffc.convl2l.weight, model.N.conv1.ffc.convl2l.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
