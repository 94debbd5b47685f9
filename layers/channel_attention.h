// Attention among channels, with its parameters.
#pragma once

#include "kernels/attention/attention.h"
#include "layers/conv2d.h"
#include "layers/functions.h"

namespace mend {

/// Multi-Dconv head transposed attention, MDTA (Zamir et al. 2022, arXiv:2111.09881, Fig. 2a):
/// `qkv` 1x1, `qkv_dwconv` 3x3 depthwise, `temperature` [heads,1,1], `project_out` 1x1 of the
/// scope. x [N,H,W,dim] -> y like x, see op::ChannelAttention.
///
///   x ─ qkv ─ qkv_dwconv ─ [q|k|v] ─ softmax(temperature · q·kᵀ) v ─ project_out ─ y
struct TransposedAttention {
  TransposedAttention(const Scope& p, int dim, int heads, bool bias)
      : qkv(p / "qkv", dim, 3 * dim, 1, {.bias = bias}),
        qkv_dwconv(p / "qkv_dwconv", 3 * dim, 3 * dim, 3, {.groups = 3 * dim, .bias = bias}),
        temperature(p.vector("temperature", heads)),
        project_out(p / "project_out", dim, dim, 1, {.bias = bias}),
        call{.heads = heads} {}

  Tensor operator()(const Tensor& x) const {
    const int dim = x.shape().c;
    const Tensor all = qkv_dwconv(qkv(x));
    const Tensor q = slice_channels(all, 0, dim);
    const Tensor k = slice_channels(all, dim, dim);
    const Tensor v = slice_channels(all, 2 * dim, dim);
    return project_out(apply(call, {q, k, v, temperature}));
  }

  Conv2d qkv, qkv_dwconv;
  Tensor temperature;  // {1,1,1,heads}
  Conv2d project_out;
  op::ChannelAttention call;
};

/// Gated-Dconv feed-forward network, GDFN (Fig. 2b of the same paper): `project_in`, `dwconv`,
/// `project_out`. x [N,H,W,dim] -> y like x.
///
///   x ─ project_in 1x1 ─ dwconv 3x3 ─ [a|b] ─ GELU(a)·b ─ project_out 1x1 ─ y
struct GatedDconv {
  GatedDconv(const Scope& p, int dim, int hidden, bool bias)
      : project_in(p / "project_in", dim, 2 * hidden, 1, {.bias = bias}),
        dwconv(p / "dwconv", 2 * hidden, 2 * hidden, 3, {.groups = 2 * hidden, .bias = bias}),
        project_out(p / "project_out", hidden, dim, 1, {.bias = bias}) {}

  Tensor operator()(const Tensor& x) const {
    const Tensor both = dwconv(project_in(x));
    const int hidden = both.shape().c / 2;
    return project_out(gelu(slice_channels(both, 0, hidden)) *
                       slice_channels(both, hidden, hidden));
  }

  Conv2d project_in, dwconv, project_out;
};

}  // namespace mend
