// The colour decoder of DDColor (Kang et al. 2023, arXiv:2212.11613, Fig. 3, right).
// Parameter names: the authors' MultiScaleColorDecoder.
//
//  queries ─ [ cross-attention to the features of one scale ─ self-attention ─ MLP ] x dec_layers
//            ─ color_embed ─ product with the finest features ─ how much of each colour
//
// Each residual is normed after its sum. The scales take turns, coarse to fine.
#pragma once

#include <vector>

#include "layers/conv2d.h"
#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"
#include "layers/multihead_attention.h"

namespace mend {

struct ColorDecoder {
  struct Hyper {
    int hidden_dim = 256, num_queries = 100, num_scales = 3, dec_layers = 9;
    int nheads = 8, dim_feedforward = 2048;
    int color_embed_dim = 256;
  };

  struct Layer {
    Layer(const Scope& p, int index, const Hyper& hyper);

    Tensor operator()(const Tensor& queries, const Tensor& query_embed, const Tensor& source,
                      const Tensor& position) const;

    MultiheadAttention cross;
    LayerNorm cross_norm;
    MultiheadAttention self;
    LayerNorm self_norm;
    Linear linear1, linear2;
    LayerNorm norm;
  };

  /// `in`: channels of the features of each scale; `fine`: of the finest.
  ColorDecoder(const Scope& p, const std::vector<int>& in, int fine, const Hyper& hyper);

  /// scales [N,Hi,Wi,Ci], finest [N,H,W,fine] -> [N,H,W,num_queries]
  Tensor operator()(const std::vector<Tensor>& scales, const Tensor& finest) const;

  Tensor query_feat, query_embed;   // {1,1,num_queries,hidden_dim}
  std::vector<Tensor> level_embed;  // {1,1,1,hidden_dim} each
  std::vector<Conv2d> input_proj;
  std::vector<Layer> layers;
  LayerNorm decoder_norm;
  std::vector<Linear> color_embed;
};

/// Where pixels are: sines and cosines of row and column in turns of the picture
/// (Carion et al. 2020, arXiv:2005.12872, appendix A.4) -> {1,h,w,channels}, rows first.
Tensor sine_position(int h, int w, int channels);

}  // namespace mend
