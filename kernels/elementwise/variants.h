// The rungs of the elementwise ladders.
#pragma once

#include "kernels/elementwise/elementwise.h"

namespace mend {

void affine_reference(const op::Affine& affine, View<const float> x, View<float> y);
void affine_simd(const op::Affine& affine, View<const float> x, View<float> y);
void affine_cuda(const op::Affine& affine, View<const float> x, View<float> y);
void affine_cuda_narrow(const op::Affine& affine, Inputs inputs, const Tensor& y);
void binary_cuda_narrow(const op::Binary& binary, Inputs inputs, const Tensor& y);

void binary_reference(const op::Binary& binary, View<const float> x, View<const float> z,
                      View<float> y);
void binary_simd(const op::Binary& binary, View<const float> x, View<const float> z, View<float> y);
void binary_cuda(const op::Binary& binary, View<const float> x, View<const float> z, View<float> y);

}  // namespace mend
