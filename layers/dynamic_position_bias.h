// The bias of window attention worked out from relative positions by a small network, so that one
// set of weights serves windows of any size (Wang et al. 2022, CrossFormer, arXiv:2108.00154).
#pragma once

#include "layers/functions.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"

namespace mend {

/// (dy, dx) ─ pos_proj ─ (norm ─ ReLU ─ linear) x 3: pos1, pos2, pos3 ─ a bias for each head.
/// With no input but parameters a plan works it out once.
struct DynamicPositionBias {
  /// `width`: of the hidden layers. Windows of rows x columns pixels.
  DynamicPositionBias(const Scope& p, int width, int heads, int rows, int columns);

  /// {1,1,(2·window_h − 1)·(2·window_w − 1),heads}: rows in the order of relative_position_index.
  Tensor operator()() const;

  int window_h, window_w;
  Linear pos_proj;
  LayerNorm pos1_0;
  Linear pos1_2;
  LayerNorm pos2_0;
  Linear pos2_2;
  LayerNorm pos3_0;
  Linear pos3_2;
};

}  // namespace mend
