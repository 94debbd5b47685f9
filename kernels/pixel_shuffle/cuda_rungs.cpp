// The host's side of the CUDA rungs.
#include <fmt/format.h>

#include "engine/cuda/cuda_device.h"
#include "kernels/narrow_type.h"
#include "kernels/pixel_shuffle/cuda.h"
#include "kernels/pixel_shuffle/variants.h"

namespace mend {
namespace {

std::string refuses(int factor) {
  if (factor <= kCudaShuffleMostFactor) return {};
  return fmt::format("needs a factor of at most {}", kCudaShuffleMostFactor);
}

}  // namespace

std::string pixel_shuffle_cuda_refuses(const op::PixelShuffle& op, const Shapes&) {
  return refuses(op.factor);
}
std::string pixel_unshuffle_cuda_refuses(const op::PixelUnshuffle& op, const Shapes&) {
  return refuses(op.factor);
}

void pixel_shuffle_cuda(const op::PixelShuffle& op, View<const float> x, View<float> y) {
  launch_pixel_shuffle<float>(op.factor, x, y, current_cuda_device().stream());
}
void pixel_shuffle_cuda_narrow(const op::PixelShuffle& op, Inputs inputs, const Tensor& y) {
  launch_pixel_shuffle<Half>(op.factor, as_16_bits(inputs[0]), as_16_bits(y),
                             current_cuda_device().stream());
}
void pixel_unshuffle_cuda(const op::PixelUnshuffle& op, View<const float> x, View<float> y) {
  launch_pixel_unshuffle<float>(op.factor, x, y, current_cuda_device().stream());
}
void pixel_unshuffle_cuda_narrow(const op::PixelUnshuffle& op, Inputs inputs, const Tensor& y) {
  launch_pixel_unshuffle<Half>(op.factor, as_16_bits(inputs[0]), as_16_bits(y),
                               current_cuda_device().stream());
}

}  // namespace mend
