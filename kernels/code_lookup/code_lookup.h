// The step from scores to a discrete code: the entry of a codebook that scores best.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {
namespace op {

/// For each pixel, the code with the largest logit.
///
///   y[n,h,w,:] = codes[0,0,k,:],   k = argmax_k logits[n,h,w,k], the smallest k among equals
///
/// logits [N,H,W,K]   codes [1,1,K,C] -> y [N,H,W,C]. A pixel with a NaN among its logits is NaN in
/// all channels: a code that stood for nothing would hide the fault from all layers behind it.
/// Throws ShapeError if codes is no matrix of K rows. Equals torch.argmax over the channels and an
/// embedding of the indices: the quantization of CodeFormer (Zhou et al. 2022, arXiv:2206.11253).
///
/// The gradient is that of the embedding: dy of every pixel is added to the code that it took. Logits
/// get none, as from torch.argmax: the official code trains them by the cross entropy of the codes that
/// an encoder of good pictures takes, before this step, and lets nothing pass through it.
struct CodeLookup {
  static constexpr std::string_view kName = "code_lookup";
  static constexpr bool kOnGpu = true;
  enum Slot { kLogits, kCodes };

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
};

/// The gradient of CodeLookup with respect to its codes:
///
///   y[0,0,k,:] = Σ dy[n,h,w,:]   over the pixels whose largest logit is k, as CodeLookup has it
///
/// logits [N,H,W,K]   dy [N,H,W,C] -> y [1,1,K,C]. Pixels with a NaN among their logits add nothing.
/// Summed in double, pixel by pixel.
struct CodeLookupGradient {
  static constexpr std::string_view kName = "code_lookup_gradient";
  static constexpr bool kOnGpu = true;
  enum Slot { kLogits, kDy };

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

using CodeLookupKernel = void (*)(View<const float> logits, View<const float> codes, View<float> y);
std::span<const Variant<op::CodeLookup, CodeLookupKernel>> code_lookup_ladder();

using CodeLookupGradientKernel = void (*)(View<const float> logits, View<const float> dy,
                                          View<float> y, Scratch scratch);
std::span<const Variant<op::CodeLookupGradient, CodeLookupGradientKernel>>
code_lookup_gradient_ladder();

}  // namespace mend
