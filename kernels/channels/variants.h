// The rungs of the concatenation's ladder.
#pragma once

#include "kernels/channels/channels.h"
#include "kernels/channels/gradient.h"

namespace mend {

/// Whether the pixels of `x` already are those of `y`: the concatenation has nothing to copy.
template <class T>
bool same_pixels(View<const T> x, View<T> y) {
  const Shape& s = y.shape;
  return x.data == y.data && x.shape == s && (s.w == 1 || x.w_stride == y.w_stride) &&
         (s.h == 1 || x.h_stride == y.h_stride) && (s.n == 1 || x.n_stride == y.n_stride);
}
/// The slice of `count` channels of y from `first` on.
template <class T>
View<T> channels_of(View<T> y, int first, int count) {
  y.data += first;
  y.shape.c = count;
  return y;
}

void concat_reference(Inputs inputs, View<float> y);
void concat_rows(Inputs inputs, View<float> y);
void concat_rows_narrow(const op::Concat& op, Inputs inputs, const Tensor& y);
/// On the GPU: a copy of each input that is not in place.
void concat_cuda(Inputs inputs, View<float> y);
void concat_cuda_narrow(const op::Concat& op, Inputs inputs, const Tensor& y);

void place_channels_reference(const op::PlaceChannels& op, View<const float> x, View<float> y);
void place_channels_rows(const op::PlaceChannels& op, View<const float> x, View<float> y);
void place_channels_cuda(const op::PlaceChannels& op, View<const float> x, View<float> y);

}  // namespace mend
