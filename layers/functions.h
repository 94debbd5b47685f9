// What networks do between their layers: operations without parameters, one line each.
// Tensors are [N,H,W,C]; every function equals the one of the same name in torch.nn.functional
// unless it says otherwise.
#pragma once

#include <initializer_list>
#include <vector>

#include "engine/tensor.h"
#include "kernels/fft/fft.h"
#include "kernels/pad/pad.h"

namespace mend {

// ---- arithmetic; an extent of 1 stands for all (broadcast) ----

Tensor operator+(const Tensor& x, const Tensor& z);
Tensor operator-(const Tensor& x, const Tensor& z);
Tensor operator*(const Tensor& x, const Tensor& z);
Tensor operator/(const Tensor& x, const Tensor& z);

/// scale · x + offset
Tensor affine(const Tensor& x, float scale, float offset);
inline Tensor operator*(float scale, const Tensor& x) { return affine(x, scale, 0); }
inline Tensor operator*(const Tensor& x, float scale) { return affine(x, scale, 0); }
inline Tensor operator+(const Tensor& x, float offset) { return affine(x, 1, offset); }
inline Tensor operator-(const Tensor& x, float offset) { return affine(x, 1, -offset); }

/// x^z for x >= 0
Tensor power(const Tensor& x, const Tensor& z);

/// min(max(x, low), high)
Tensor clamp(const Tensor& x, float low, float high);

// ---- activations ----

Tensor relu(const Tensor& x);
/// x >= 0 ? x : slope·x
Tensor lrelu(const Tensor& x, float slope = 0.2f);
Tensor gelu(const Tensor& x);
Tensor silu(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor mish(const Tensor& x);
Tensor tanh(const Tensor& x);
/// exp(x) / Σ exp(x) over the channels of each pixel
Tensor softmax(const Tensor& x);

// ---- channels ----

/// Side by side: [N,H,W,C0] [N,H,W,C1] ... -> [N,H,W,C0 + C1 + ...]
Tensor concat(std::initializer_list<Tensor> parts);
Tensor concat(const std::vector<Tensor>& parts);
/// [N,H,W,C] -> [N,H,W,count], the channels from `first` on
Tensor slice_channels(const Tensor& x, int first, int count);
/// [N,H,W,C·r²] -> [N,H·r,W·r,C]
Tensor pixel_shuffle(const Tensor& x, int factor);
/// [N,H·r,W·r,C] -> [N,H,W,C·r²]
Tensor pixel_unshuffle(const Tensor& x, int factor);

// ---- size ----

/// [N,H,W,C] -> [N,H·factor,W·factor,C], every pixel repeated
Tensor upsample_nearest(const Tensor& x, int factor);
/// [N,1,1,C] -> [N,h,w,C], every pixel the same
Tensor spread(const Tensor& x, int h, int w);
Tensor resize_bilinear(const Tensor& x, int h, int w, bool align_corners = false);

struct Margins {
  int top = 0, bottom = 0, left = 0, right = 0;
};
Tensor pad(const Tensor& x, const Margins& margins, PadMode mode);
/// Pads below and to the right until height and width are multiples of `multiple`.
Tensor pad_to_multiple(const Tensor& x, int multiple, PadMode mode);
/// The h x w pixels from row `top`, column `left`.
Tensor crop(const Tensor& x, int top, int left, int h, int w);
/// The windows of h x w pixels, row by row of windows, as images of a batch: [N,H,W,C] -> [M,h,w,C].
Tensor window_partition(const Tensor& x, int h, int w);
/// Images of a batch as the windows of larger ones: [M,H,W,C] -> [N,h,w,C].
Tensor window_merge(const Tensor& x, int h, int w);
/// x without `border` pixels on each side.
Tensor trim(const Tensor& x, int border);
/// The same pixels in the same order under other n, h and w: op::Reshape.
Tensor reshape(const Tensor& x, int n, int h, int w);
/// [N,H,W,C] -> [N,1,H·W,C]: an image as one row of tokens
inline Tensor tokens(const Tensor& x) {
  return reshape(x, x.shape().n, 1, x.shape().h * x.shape().w);
}

// ---- pooling ----

Tensor max_pool(const Tensor& x, int kernel, int stride);
/// [N,H,W,C] -> [N,P,Q,C], the mean of windows of kernel x kernel pixels
Tensor average_pool(const Tensor& x, int kernel, int stride);
/// The maxima of h x w windows that cover x evenly.
Tensor adaptive_max_pool(const Tensor& x, int h, int w);
/// [N,H,W,C] -> [N,1,1,C], the mean over all pixels
Tensor global_average_pool(const Tensor& x);
/// The mean of the window around each pixel, moved into the image at its edges: op::BoxMean.
Tensor box_mean(const Tensor& x, int kernel_h, int kernel_w);

// ---- spectra: pairs of channels (re, im), see kernels/fft/fft.h; patch 0 is the whole image ----

Tensor real_fft2(const Tensor& x, FftNorm norm, int patch = 0);
/// `width`: of the image that comes out.
Tensor inverse_real_fft2(const Tensor& x, int width, FftNorm norm, int patch = 0);
/// The product of complex numbers; z may be one patch that stands for all.
Tensor complex_multiply(const Tensor& x, const Tensor& z);
/// A real gain for each complex number; may be one patch that stands for all.
Tensor spectral_gain(const Tensor& x, const Tensor& gain);

}  // namespace mend
