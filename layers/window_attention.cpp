#include "layers/window_attention.h"

#include <cmath>

#include "layers/functions.h"

namespace mend {

RelativePositionBias relative_position_bias(const Scope& p, int window, int heads) {
  const int side = 2 * window - 1;
  p.ignore("relative_position_index");
  return {p.matrix("relative_position_bias_table", side * side, heads), window};
}

op::WindowAttention square_windows(int dim, int window, int shift, int heads) {
  const int head_dim = dim / heads;
  return {.window_h = window,
          .window_w = window,
          .shift_h = shift,
          .shift_w = shift,
          .heads = heads,
          .scale = static_cast<float>(1.0 / std::sqrt(head_dim)),
          .mask = shift > 0 ? WindowMask::kMinus100 : WindowMask::kNone};
}

WindowAttention::WindowAttention(const Scope& p, int dim, const Options& options)
    : qkv(p / "qkv", dim, 3 * dim, options.qkv_bias),
      bias(relative_position_bias(p, options.window, options.heads)),
      proj(p / "proj", dim, dim),
      call(square_windows(dim, options.window, options.shift, options.heads)) {}

Tensor WindowAttention::operator()(const Tensor& x) const {
  const int dim = x.shape().c;
  const Tensor all = qkv(x);
  const Tensor q = slice_channels(all, 0, dim);
  const Tensor k = slice_channels(all, dim, dim);
  const Tensor v = slice_channels(all, 2 * dim, dim);
  return proj(apply(call, {q, k, v, bias()}));
}

}  // namespace mend
