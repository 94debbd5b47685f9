// The host's side of the CUDA rungs.
#include "engine/cuda/cuda_device.h"
#include "kernels/channels/cuda.h"
#include "kernels/channels/variants.h"
#include "kernels/narrow_type.h"

namespace mend {

namespace {

/// What `input` gets as its channels of y, unless they are it.
template <class Number>
void place_input(const View<const Number>& x, const View<Number>& y) {
  if (!same_pixels<Number>(x, y)) {
    launch_copy_pixels<Number>(x, y, current_cuda_device().stream());
  }
}

}  // namespace

void concat_cuda(Inputs inputs, View<float> y) {
  int first = 0;
  for (const Tensor& input : inputs) {
    const View<const float> x = input.view<const float>();
    place_input<float>(x, channels_of(y, first, x.shape.c));
    first += x.shape.c;
  }
}

void concat_cuda_narrow(const op::Concat&, Inputs inputs, const Tensor& y) {
  int first = 0;
  for (const Tensor& input : inputs) {
    const int count = input.shape().c;
    place_input<Half>(as_16_bits(input), as_16_bits(y.channels(first, count)));
    first += count;
  }
}

void place_channels_cuda(const op::PlaceChannels& op, View<const float> x, View<float> y) {
  launch_place_channels(op.first, x, y, current_cuda_device().stream());
}

}  // namespace mend
