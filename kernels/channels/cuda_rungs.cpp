// The host's side of the CUDA rungs.
#include "engine/cuda/cuda_device.h"
#include "kernels/channels/cuda.h"
#include "kernels/channels/variants.h"

namespace mend {

void concat_cuda(Inputs inputs, View<float> y) {
  int first = 0;
  for (const Tensor& input : inputs) {
    const View<const float> x = input.view<const float>();
    const View<float> slice = channels_of(y, first, x.shape.c);
    first += x.shape.c;
    if (!same_pixels(x, slice)) launch_copy_pixels(x, slice, current_cuda_device().stream());
  }
}

void place_channels_cuda(const op::PlaceChannels& op, View<const float> x, View<float> y) {
  launch_place_channels(op.first, x, y, current_cuda_device().stream());
}

}  // namespace mend
