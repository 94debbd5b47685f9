#include "models/fftformer.h"

namespace mend {
namespace {

constexpr int kColumns = kSpectralPatch / 2 + 1;  // of a real patch's spectrum

/// `fft` [channels,1,1,8,5] as the gain of a patch, {1,8,5,channels}.
Tensor spectral_filter(const Scope& p, int channels) {
  return p.kernel_stored_as("fft", {channels, 1, 1, kSpectralPatch, kColumns}, 1, kSpectralPatch,
                            kColumns, channels);
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const int dim = extent(checkpoint, "patch_embed.proj.weight", 0);
  const int in = extent(checkpoint, "patch_embed.proj.weight", 1);
  const int out = extent(checkpoint, "output.weight", 0);
  if (dim == 0 || in == 0 || out == 0 || !has(checkpoint, "encoder_level1.0.ffn.fft")) {
    return std::nullopt;
  }
  std::vector<int> blocks;
  std::vector<std::pair<int, int>> widths;
  for (int level = 0; level < 3; ++level) {
    const std::string path = "encoder_level" + std::to_string(level + 1) + ".";
    const std::vector<int> found = indices(checkpoint, path, "ffn.fft");
    if (found.empty()) return std::nullopt;
    blocks.push_back(found.back() + 1);
    widths.emplace_back(extent(checkpoint, path + "0.ffn.project_out.weight", 1), dim << level);
  }
  const std::vector<int> refinement = indices(checkpoint, "refinement.", "ffn.fft");
  return Recognised{
      .fixed = {{"inp_channels", in},
                {"out_channels", out},
                {"dim", dim},
                {"num_blocks", blocks},
                {"num_refinement_blocks", refinement.empty() ? 0 : refinement.back() + 1},
                {"bias", has(checkpoint, "output.bias")}},
      .defaults = {{"ffn_expansion_factor", shortest_ratio(widths, 3)}}};
}

Built make(const Scope& p, const Json& hyper) {
  FFTformerHyper h;
  h.inp_channels = integer(hyper, "inp_channels", 1, 64);
  h.out_channels = integer(hyper, "out_channels", 1, 64);
  h.dim = integer(hyper, "dim", 1, 1024);
  h.num_blocks = integers(hyper, "num_blocks", 1, 1024, 3);
  h.num_refinement_blocks = integer(hyper, "num_refinement_blocks", 0, 1024);
  h.ffn_expansion_factor = ratio(hyper, "ffn_expansion_factor");
  h.bias = flag(hyper, "bias");
  Traits traits(TilePolicy::kWindowAligned);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {"deblur"};
  traits.input_channels = h.inp_channels;
  traits.colour = h.inp_channels == 1 ? Colour::kGray : Colour::kRgb;
  traits.smallest = 17;  // a reflection up to 32 takes at most one pixel less than there are
  return {traits, image_to_image(FFTformer(p, h))};
}

}  // namespace

DFFN::DFFN(const Scope& p, int dim, int hidden, bool bias)
    : project_in(p / "project_in", dim, 2 * hidden, 1, {.bias = bias}),
      fft(spectral_filter(p, 2 * hidden)),
      dwconv(p / "dwconv", 2 * hidden, 2 * hidden, 3, {.groups = 2 * hidden, .bias = bias}),
      project_out(p / "project_out", hidden, dim, 1, {.bias = bias}) {}

FFTformer::Blocks FFTformer::blocks(const Scope& p, int level, const FFTformerHyper& hyper,
                                    bool att) {
  const bool refines = level == 3;
  const int count =
      refines ? hyper.num_refinement_blocks : hyper.num_blocks[static_cast<std::size_t>(level)];
  const int dim = refines ? hyper.dim : hyper.dim << level;
  Blocks blocks;
  for (int i = 0; i < count; ++i) {
    blocks.emplace_back(p / i, dim, hyper.ffn_expansion_factor, hyper.bias, att);
  }
  return blocks;
}

Tensor FFTformer::run(const Blocks& blocks, Tensor x) {
  for (const FFTformerBlock& block : blocks) x = block(x);
  return x;
}

Architecture fftformer() {
  return {.name = "fftformer",
          .title = "fftformer",
          .paper = "Kong et al. 2023, arXiv:2211.12250",
          .signature = "encoder_level1.0.ffn.fft, decoder_level3.0.attn.to_hidden.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
