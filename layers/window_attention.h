// Attention among the pixels of windows, with its parameters.
#pragma once

#include "kernels/attention/attention.h"
#include "layers/linear.h"

namespace mend {

/// The bias of a window's scores for each relative position of query and key: a learned table, one
/// row for each position (Liu et al. 2021, arXiv:2103.14030, equation 4).
struct RelativePositionBias {
  /// `rows` {1,1,(2·window − 1)²,heads}
  RelativePositionBias(Tensor rows, int window_side)
      : table(std::move(rows)), window(window_side) {}

  /// {1,heads,keys,queries}. With no input but parameters it is worked out once in a plan.
  Tensor operator()() const {
    return apply(op::GatherBias{}, {table, relative_position_index(window, window)});
  }

  Tensor table;
  int window;
};

/// Swin's window attention: `qkv`, `relative_position_bias_table`, `proj` of the scope; the buffer
/// `relative_position_index` is worked out here and may be missing.
/// x [N,H,W,dim] -> y like x; H and W are multiples of the window, see op::WindowAttention.
struct WindowAttention {
  struct Options {
    int window = 8;
    int shift = 0;  ///< in [0, window)
    int heads = 1;
    bool qkv_bias = true;
  };

  WindowAttention(const Scope& p, int dim, const Options& options);

  Tensor operator()(const Tensor& x) const;

  Linear qkv;
  RelativePositionBias bias;
  Linear proj;
  op::WindowAttention call;
};

/// `relative_position_bias_table` of square windows; `relative_position_index` may be missing.
RelativePositionBias relative_position_bias(const Scope& p, int window, int heads);

/// The call for square windows: heads of dim/heads channels, masked if shifted.
op::WindowAttention square_windows(int dim, int window, int shift, int heads);

}  // namespace mend
