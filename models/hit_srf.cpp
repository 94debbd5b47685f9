#include "models/hit_srf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "kernels/attention/attention.h"
#include "kernels/matmul/matmul.h"
#include "kernels/pool/pool.h"
#include "kernels/rearrange/rearrange.h"

namespace mend {
namespace {

const std::string kBlock = "layers.0.residual_group.blocks.0.";
constexpr int kBaseWindow = 8;  // the official one

int window_of(const HiTSRFHyper& hyper, int block) {
  const float side = hyper.hier_win_ratios[block] * static_cast<float>(hyper.base_win_size);
  return std::max(1, static_cast<int>(side));
}

/// Window sides in units of the base window, from the weights that sum up its cells. Where it is not
/// larger than the base window there is one weight: official networks begin at half of it.
std::vector<double> recognise_ratios(const Checkpoint& checkpoint, int depth) {
  std::vector<double> ratios;
  for (int i = 0; i < depth; ++i) {
    const std::string key =
        fmt::format("layers.0.residual_group.blocks.{}.correlation.spatial_linear.weight", i);
    ratios.push_back(whole_root(extent(checkpoint, key, 1)));
  }
  if (ratios.size() > 1 && ratios[0] == 1 && ratios[1] == 1) ratios[0] = 0.5;
  return ratios;
}

std::optional<Recognised> recognise(const Checkpoint& checkpoint) {
  const auto reconstruction = recognise_reconstruction(checkpoint);
  const int hidden = extent(checkpoint, kBlock + "mlp.fc1.weight", 0);
  const std::vector<int> depths =
      depths_of(checkpoint, "layers.{}.residual_group.blocks.", "correlation.proj.weight");
  if (!reconstruction || hidden == 0 || depths.empty()) return std::nullopt;
  std::vector<int> heads;
  for (std::size_t i = 0; i < depths.size(); ++i) {
    heads.push_back(extent(
        checkpoint,
        fmt::format("layers.{}.residual_group.blocks.0.correlation.pos.pos3.2.weight", i), 0));
  }
  return Recognised{
      .fixed = {{"upscale", reconstruction->upscale},
                {"in_chans", reconstruction->in_chans},
                {"embed_dim", reconstruction->embed_dim},
                {"depths", depths},
                {"num_heads", heads},
                {"upsampler", reconstruction->upsampler},
                {"resi_connection", recognise_resi_connection(checkpoint)}},
      .defaults = {{"base_win_size", {kBaseWindow, kBaseWindow}},
                   {"hier_win_ratios", recognise_ratios(checkpoint, depths.front())},
                   {"expansion_factor", shortest_ratio({{hidden, reconstruction->embed_dim}})},
                   {"num_feat", reconstruction->num_feat},
                   {"img_range", 1.0},
                   {"img_size", 64}}};
}

Built make(const Scope& p, const Json& hyper) {
  HiTSRFHyper h;
  h.reconstruction = reconstruction_hyper(hyper);
  integer(hyper, "embed_dim", 16, 4096);  // the smallest layers have a 16th of it
  h.depths = integers(hyper, "depths", 1, 1024);
  h.num_heads = integers(hyper, "num_heads", 1, h.reconstruction.embed_dim, h.depths.size());
  const std::vector<int> base = integers(hyper, "base_win_size", 1, 32, 2);
  if (base[0] != base[1]) throw CheckpointError("hyper-parameter base_win_size must be a square");
  h.base_win_size = base[0];
  const int deepest = *std::max_element(h.depths.begin(), h.depths.end());
  h.hier_win_ratios = numbers(hyper, "hier_win_ratios", static_cast<std::size_t>(deepest));
  int largest = 1;
  for (int i = 0; i < deepest; ++i) largest = std::max(largest, window_of(h, i));
  if (largest > 128) throw CheckpointError("hyper-parameter hier_win_ratios: windows above 128");
  h.expansion_factor = ratio(hyper, "expansion_factor");
  h.resi_connection = choice(hyper, "resi_connection", {"1conv", "3conv"});
  h.img_range = number(hyper, "img_range");
  Traits traits(TilePolicy::kWholeImage);
  traits.narrow_type = DType::kBF16;
  traits.tasks = {"upscale"};
  traits.scale = h.reconstruction.upscale;
  traits.input_channels = h.reconstruction.in_chans;
  traits.colour = traits.input_channels == 1 ? Colour::kGray : Colour::kRgb;
  traits.smallest = (largest + 6) / 4;  // two mirrors make 4·smallest − 3 pixels at most
  return {traits, image_to_image(HiTSRF(p, h))};
}

/// For a pixel at row h and a cell from row i·s on, the averaged offset h − i·s, counted from its
/// smallest value s − window; columns likewise. The averaged table has (2·window − s)² rows.
Tensor cell_index(int window, int base) {
  const int s = window / base, side = 2 * window - s;
  std::vector<float> index;
  for (int i = 0; i < base; ++i)
    for (int j = 0; j < base; ++j)
      for (int h = 0; h < window; ++h)
        for (int w = 0; w < window; ++w) {
          const int row = h - i * s + window - s, column = w - j * s + window - s;
          index.push_back(static_cast<float>(row * side + column));
        }
  return Tensor::from({1, 1, base * base, window * window}, index);
}

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false) {
  return apply(op::Matmul{.transpose_a = transpose_a}, {a, b});
}

/// Mirrors below and to the right up to a multiple, twice where one mirror is too small.
Tensor mirror_to_multiple(const Tensor& x, int multiple) {
  const auto [n, h, w, c] = x.shape();
  const int rows = (multiple - h % multiple) % multiple;
  const int columns = (multiple - w % multiple) % multiple;
  const Margins first = {.bottom = std::min(rows, h - 1), .right = std::min(columns, w - 1)};
  const Margins rest = {.bottom = rows - first.bottom, .right = columns - first.right};
  return pad(pad(x, first, PadMode::kReflect), rest, PadMode::kReflect);
}

}  // namespace

SCC::SCC(const Scope& p, int dim, int head_count, int window_size, int base_window)
    : heads(head_count),
      window(window_size),
      base(std::min(window_size, base_window)),
      qv(p / "qv", dim),
      pos(p / "pos", dim / 4 / 4, head_count, window_size, window_size),
      proj(p / "proj", dim, dim) {
  const int s = window / base;
  spatial_weight = p.dense("spatial_linear.weight", {1, s * s}, {1, s, s, 1});
  spatial_bias = p.vector("spatial_linear.bias", 1);
}

Tensor SCC::bias() const {
  const int s = window / base, side = 2 * window - 1, averaged = 2 * window - s;
  const Tensor map = apply(op::Reshape{1, side, side}, {pos()});
  const Tensor mean = apply(op::Pool{.kind = PoolKind::kAverage, .kernel = s, .stride = 1}, {map});
  const Tensor table = apply(op::Reshape{1, 1, averaged * averaged}, {mean});
  return apply(op::GatherBias{}, {table, cell_index(window, base)});
}

Tensor SCC::correlate_pixels(const Tensor& q, const Tensor& v) const {
  const int half = q.shape().c, d = half / heads, s = window / base;
  const op::Conv2d sum{.kernel_h = s, .kernel_w = s, .stride = s, .groups = half, .outputs = half};
  // The same weights for all channels.
  const Tensor weight = Tensor::full({half, 1, 1, 1}, 1) * spatial_weight;
  const Tensor offset = Tensor::full(vector_shape(half), 1) * spatial_bias;
  const Tensor cells = apply(sum, {v, weight, offset});
  const auto tokens = [](const Tensor& x, int side) {  // [windows,1,side²,C]
    const Tensor windows = apply(op::WindowPartition{side, side}, {x});
    return apply(op::Reshape{windows.shape().n, 1, side * side}, {windows});
  };
  const Tensor queries = tokens(q, window), values = tokens(cells, base), bias_of_all = bias();
  std::vector<Tensor> parts;
  for (int head = 0; head < heads; ++head) {
    const Tensor qh = slice_channels(queries, head * d, d);
    const Tensor vh = slice_channels(values, head * d, d);
    const Tensor bh = apply(op::Crop{head, 0, 1, window * window}, {bias_of_all});
    const Tensor scores = matmul(vh, vh, /*transpose_a=*/true) * (1.0f / static_cast<float>(d));
    parts.push_back(matmul(qh, scores) + matmul(bh, vh));
  }
  const Tensor joined = concat(parts);
  const Tensor windows = apply(op::Reshape{joined.shape().n, window, window}, {joined});
  return apply(op::WindowMerge{q.shape().h, q.shape().w}, {windows});
}

Tensor SCC::correlate_channels(const Tensor& q, const Tensor& v) const {
  const int pixels = window * window;
  const auto tokens = [&](const Tensor& x) {
    const Tensor windows = apply(op::WindowPartition{window, window}, {x});
    return apply(op::Reshape{windows.shape().n, 1, pixels}, {windows});
  };
  const Tensor values = tokens(v);
  const Tensor scores = matmul(values, tokens(q), true) * (1.0f / static_cast<float>(pixels));
  const Tensor y = matmul(values, scores);
  const Tensor windows = apply(op::Reshape{y.shape().n, window, window}, {y});
  return apply(op::WindowMerge{q.shape().h, q.shape().w}, {windows});
}

Tensor SCC::operator()(const Tensor& x) const {
  const Tensor both = qv(x);
  const int half = both.shape().c / 2;
  const Tensor q = slice_channels(both, 0, half), v = slice_channels(both, half, half);
  return proj(concat({correlate_pixels(q, v), correlate_channels(q, v)}));
}

HierarchicalBlock::HierarchicalBlock(const Scope& p, int heads, int window,
                                     const HiTSRFHyper& hyper)
    : correlation(p / "correlation", hyper.reconstruction.embed_dim, heads, window,
                  hyper.base_win_size),
      norm1(p / "norm1", hyper.reconstruction.embed_dim),
      mlp(p / "mlp", hyper.reconstruction.embed_dim,
          scaled_width(hyper.reconstruction.embed_dim, hyper.expansion_factor)),
      norm2(p / "norm2", hyper.reconstruction.embed_dim) {}

Tensor HierarchicalBlock::operator()(const Tensor& x) const {
  const Tensor correlated = correlation(mirror_to_multiple(x, correlation.window));
  const Tensor y = x + norm1(crop(correlated, 0, 0, x.shape().h, x.shape().w));
  return y + norm2(mlp(y));
}

HiTGroup::HiTGroup(const Scope& p, int depth, int heads, const HiTSRFHyper& hyper)
    : conv(p / "conv", hyper.reconstruction.embed_dim, hyper.resi_connection) {
  for (int i = 0; i < depth; ++i) {
    residual_group.emplace_back(p / "residual_group" / "blocks" / i, heads, window_of(hyper, i),
                                hyper);
  }
}

HiTSRF::HiTSRF(const Scope& p, const HiTSRFHyper& hyper)
    : img_range(hyper.img_range),
      mean(picture_mean(hyper.reconstruction.in_chans)),
      conv_first(p / "conv_first", hyper.reconstruction.in_chans, hyper.reconstruction.embed_dim),
      patch_embed(p / "patch_embed" / "norm", hyper.reconstruction.embed_dim),
      norm(p / "norm", hyper.reconstruction.embed_dim),
      conv_after_body(p / "conv_after_body", hyper.reconstruction.embed_dim, hyper.resi_connection),
      reconstruction(p, hyper.reconstruction) {
  for (std::size_t i = 0; i < hyper.depths.size(); ++i) {
    layers.emplace_back(p / "layers" / static_cast<int>(i), hyper.depths[i], hyper.num_heads[i],
                        hyper);
  }
}

Tensor HiTSRF::operator()(const Tensor& x) const {
  const Tensor shallow = conv_first((x - mean) * img_range);
  Tensor deep = patch_embed(shallow);
  for (const HiTGroup& layer : layers) deep = layer(deep);
  const Tensor features = shallow + conv_after_body(norm(deep));
  return reconstruction(features) * (1 / img_range) + mean;
}

Architecture hit_srf() {
  return {.name = "hit_srf",
          .title = "HiT_SRF",
          .paper = "Zhang et al. 2024, HiT-SR, arXiv:2407.05878",
          .signature = "layers.0.residual_group.blocks.0.correlation.spatial_linear.weight",
          .aliases = {},
          .recognise = recognise,
          .make = make};
}

}  // namespace mend
