#include "models/color_decoder.h"

#include <cmath>
#include <numbers>

#include "kernels/matmul/matmul.h"

namespace mend {
namespace {

/// Row `index` of an embedding [rows, channels].
Tensor row_of(const Tensor& matrix, int index) { return crop(matrix, 0, index, 1, 1); }

}  // namespace

ColorDecoder::Layer::Layer(const Scope& p, int index, const Hyper& hyper)
    : cross(p / "transformer_cross_attention_layers" / index / "multihead_attn", hyper.hidden_dim,
            hyper.nheads),
      cross_norm(p / "transformer_cross_attention_layers" / index / "norm", hyper.hidden_dim),
      self(p / "transformer_self_attention_layers" / index / "self_attn", hyper.hidden_dim,
           hyper.nheads),
      self_norm(p / "transformer_self_attention_layers" / index / "norm", hyper.hidden_dim),
      linear1(p / "transformer_ffn_layers" / index / "linear1", hyper.hidden_dim,
              hyper.dim_feedforward),
      linear2(p / "transformer_ffn_layers" / index / "linear2", hyper.dim_feedforward,
              hyper.hidden_dim),
      norm(p / "transformer_ffn_layers" / index / "norm", hyper.hidden_dim) {}

Tensor ColorDecoder::Layer::operator()(const Tensor& queries, const Tensor& query_embed,
                                       const Tensor& source, const Tensor& position) const {
  const Tensor crossed =
      cross_norm(queries + cross(queries + query_embed, source + position, source));
  const Tensor placed = crossed + query_embed;
  const Tensor mixed = self_norm(crossed + self(placed, placed, crossed));
  return norm(mixed + linear2(relu(linear1(mixed))));
}

ColorDecoder::ColorDecoder(const Scope& p, const std::vector<int>& in, int fine, const Hyper& hyper)
    : query_feat(p.matrix("query_feat.weight", hyper.num_queries, hyper.hidden_dim)),
      query_embed(p.matrix("query_embed.weight", hyper.num_queries, hyper.hidden_dim)),
      decoder_norm(p / "decoder_norm", hyper.hidden_dim) {
  const Tensor levels = p.matrix("level_embed.weight", hyper.num_scales, hyper.hidden_dim);
  for (int i = 0; i < hyper.num_scales; ++i) {
    level_embed.push_back(row_of(levels, i));
    input_proj.emplace_back(p / "input_proj" / i, in[static_cast<std::size_t>(i)], hyper.hidden_dim,
                            1);
  }
  for (int i = 0; i < hyper.dec_layers; ++i) layers.emplace_back(p, i, hyper);
  const Scope embed = p / "color_embed" / "layers";
  color_embed.emplace_back(embed / 0, hyper.hidden_dim, hyper.hidden_dim);
  color_embed.emplace_back(embed / 1, hyper.hidden_dim, hyper.hidden_dim);
  color_embed.emplace_back(embed / 2, hyper.hidden_dim, fine);
}

Tensor ColorDecoder::operator()(const std::vector<Tensor>& scales, const Tensor& finest) const {
  std::vector<Tensor> sources, positions;
  for (std::size_t i = 0; i < level_embed.size(); ++i) {
    const auto [n, h, w, c] = scales[i].shape();
    sources.push_back(tokens(input_proj[i](scales[i]) + level_embed[i]));
    positions.push_back(tokens(sine_position(h, w, query_feat.shape().c)));
  }
  const auto [n, h, w, c] = finest.shape();
  Tensor queries = query_feat + Tensor::zeros({n, 1, query_feat.shape().w, query_feat.shape().c});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::size_t scale = i % sources.size();
    queries = layers[i](queries, query_embed, sources[scale], positions[scale]);
  }
  queries = relu(color_embed[1](relu(color_embed[0](decoder_norm(queries)))));
  const Tensor colours = color_embed[2](queries);  // [N,1,num_queries,fine]
  const Tensor amounts = apply(op::Matmul{.transpose_b = true}, {tokens(finest), colours});
  return reshape(amounts, n, h, w);
}

Tensor sine_position(int h, int w, int channels) {
  const Tensor y = Tensor::empty({1, h, w, channels});
  const View<float> to = y.view<float>();
  const int half = channels / 2;
  // The turn that `at` of `count` rows or columns is in frequency `c`; the last is a whole turn.
  const auto wave = [half](int at, int count, int c) {
    const double turn = (at + 1) / (count + 1e-6) * 2 * std::numbers::pi;
    const double angle = turn / std::pow(10000.0, 2.0 * (c / 2) / half);
    return static_cast<float>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
  };
  for (int row = 0; row < h; ++row)
    for (int column = 0; column < w; ++column)
      for (int c = 0; c < half; ++c) {
        to(0, row, column, c) = wave(row, h, c);
        to(0, row, column, half + c) = wave(column, w, c);
      }
  return y;
}

}  // namespace mend
