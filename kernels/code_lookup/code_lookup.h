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
struct CodeLookup {
  static constexpr std::string_view kName = "code_lookup";
  enum Slot { kLogits, kCodes };

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op

using CodeLookupKernel = void (*)(View<const float> logits, View<const float> codes, View<float> y);
std::span<const Variant<op::CodeLookup, CodeLookupKernel>> code_lookup_ladder();

}  // namespace mend
