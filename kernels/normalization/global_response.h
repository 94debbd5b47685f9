// Global response normalization: channels compete for how strongly they speak in the whole image.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {
namespace op {

/// Each channel scaled by its share of the response of all channels, beside the identity.
///
///   y[n,h,w,c] = gamma[c] · x[n,h,w,c] · g[n,c] / (Σ_k g[n,k] / C + eps) + beta[c] + x[n,h,w,c]
///   g[n,c] = √(Σ_{h,w} x[n,h,w,c]²)
///
/// x [N,H,W,C]   gamma, beta [1,1,1,C] -> y like x. ConvNeXt V2 (Woo et al. 2023, arXiv:2301.00808,
/// algorithm 1). Throws ShapeError if gamma or beta does not fit C.
/// Squares are summed in double, row by row: the order depends on the shape of x alone.
struct GlobalResponseNorm {
  static constexpr std::string_view kName = "global_response_norm";
  static constexpr bool kOnGpu = true;
  enum Slot { kX, kGamma, kBeta };

  float eps = 1e-6f;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

}  // namespace op

using GlobalResponseNormKernel = void (*)(const op::GlobalResponseNorm& norm, View<const float> x,
                                          View<const float> gamma, View<const float> beta,
                                          View<float> y, Scratch scratch);
std::span<const Variant<op::GlobalResponseNorm, GlobalResponseNormKernel>>
global_response_norm_ladder();

void global_response_norm_reference(const op::GlobalResponseNorm& norm, View<const float> x,
                                    View<const float> gamma, View<const float> beta, View<float> y,
                                    Scratch scratch);
void global_response_norm_simd(const op::GlobalResponseNorm& norm, View<const float> x,
                               View<const float> gamma, View<const float> beta, View<float> y,
                               Scratch scratch);

/// On the GPU.
void global_response_norm_cuda(const op::GlobalResponseNorm& norm, View<const float> x,
                               View<const float> gamma, View<const float> beta, View<float> y,
                               Scratch scratch);

}  // namespace mend
