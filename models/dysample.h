// DySample, an enlargement that learns where to look (Liu et al. 2023, arXiv:2308.15085, Fig. 2).
// Parameter names: RealPLKSR's `to_img`.
//
//  x ─┬─ offset · sigmoid(scope) / 2 ─(+ place of the new pixel)─ where to look ─┐
//     └───────────────────── groups of channels ─────────────────────────────── read ─ end_conv ─ y
#pragma once

#include <optional>

#include "layers/conv2d.h"
#include "models/architecture.h"

namespace mend {

struct DySample {
  DySample(const Scope& p, int channels, int out, int upscale, int group_count);

  /// [N,H,W,channels] -> [N,upscale·H,upscale·W,out]
  Tensor operator()(const Tensor& x) const;

  int scale, groups;  // each group of channels looks elsewhere
  Conv2d offset, look_scope;
  Tensor init_pos;  // {1,1,1,2·groups·scale²}: all x, then all y, in pixels of x
  std::optional<Conv2d> end_conv;
};

}  // namespace mend
