// The host's side of the CUDA rungs.
#include <fmt/format.h>

#include <string>

#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/cuda_separable.h"
#include "kernels/narrow_type.h"
#include "kernels/pad/cuda.h"
#include "kernels/pad/gradient.h"
#include "kernels/pad/variants.h"

namespace mend {
namespace {

/// What each row (or column) of the image gets back: the sum of the rows that show it.
KeptAxis folded_back(PadMode mode, int before, int extent, int padded) {
  const std::string key =
      fmt::format("gradient of pad {} {} {} {}", static_cast<int>(mode), before, extent, padded);
  return KeptAxis::of_gradient(key, extent,
                               [&] { return padding_shown_by(mode, before, extent, padded); });
}

}  // namespace

void pad_cuda(const op::Pad& pad, View<const float> x, View<float> y) {
  launch_pad<float>(pad.mode, pad.top, pad.left, pad.value, x, y, current_cuda_device().stream());
}

void pad_cuda_narrow(const op::Pad& pad, Inputs inputs, const Tensor& y) {
  const Half value{pad.type == DType::kF16 ? to_half(pad.value).bits : to_bfloat16(pad.value).bits};
  launch_pad<Half>(pad.mode, pad.top, pad.left, value, as_16_bits(inputs[0]), as_16_bits(y),
                   current_cuda_device().stream());
}

void pad_gradient_cuda(const op::Pad& pad, View<const float> dy, View<float> y, Scratch) {
  if (pad.mode == PadMode::kConstant) {  // nothing comes back: the window in the middle
    launch_pad<float>(pad.mode, -pad.top, -pad.left, 0, dy, y, current_cuda_device().stream());
    return;
  }
  const Shape& s = y.shape;
  separable_cuda_direct(folded_back(pad.mode, pad.top, s.h, dy.shape.h),
                        folded_back(pad.mode, pad.left, s.w, dy.shape.w), dy, y);
}

}  // namespace mend
