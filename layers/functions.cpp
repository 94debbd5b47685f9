#include "layers/functions.h"

#include "kernels/activation/activation.h"
#include "kernels/channels/channels.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/fft/spectrum.h"
#include "kernels/normalization/normalization.h"
#include "kernels/pixel_shuffle/pixel_shuffle.h"
#include "kernels/pool/pool.h"
#include "kernels/rearrange/rearrange.h"
#include "kernels/resample/resample.h"

namespace mend {
namespace {

Tensor activate(const Tensor& x, ActivationKind kind, float parameter = 0) {
  return apply(op::Activate{{kind, parameter}}, {x});
}

/// How many to add to `extent` for a multiple of `multiple`.
int lacking(int extent, int multiple) { return (multiple - extent % multiple) % multiple; }

}  // namespace

Tensor operator+(const Tensor& x, const Tensor& z) {
  return apply(op::Binary{BinaryKind::kAdd}, {x, z});
}
Tensor operator-(const Tensor& x, const Tensor& z) {
  return apply(op::Binary{BinaryKind::kSubtract}, {x, z});
}
Tensor operator*(const Tensor& x, const Tensor& z) {
  return apply(op::Binary{BinaryKind::kMultiply}, {x, z});
}
Tensor operator/(const Tensor& x, const Tensor& z) {
  return apply(op::Binary{BinaryKind::kDivide}, {x, z});
}
Tensor power(const Tensor& x, const Tensor& z) {
  return apply(op::Binary{BinaryKind::kPower}, {x, z});
}

Tensor affine(const Tensor& x, float scale, float offset) {
  return apply(op::Affine{.scale = scale, .offset = offset}, {x});
}
Tensor clamp(const Tensor& x, float low, float high) {
  return apply(op::Affine{.low = low, .high = high}, {x});
}

Tensor relu(const Tensor& x) { return activate(x, ActivationKind::kRelu); }
Tensor lrelu(const Tensor& x, float slope) {
  return activate(x, ActivationKind::kLeakyRelu, slope);
}
Tensor gelu(const Tensor& x) { return activate(x, ActivationKind::kGelu); }
Tensor silu(const Tensor& x) { return activate(x, ActivationKind::kSilu); }
Tensor sigmoid(const Tensor& x) { return activate(x, ActivationKind::kSigmoid); }
Tensor mish(const Tensor& x) { return activate(x, ActivationKind::kMish); }
Tensor tanh(const Tensor& x) { return activate(x, ActivationKind::kTanh); }
Tensor softmax(const Tensor& x) { return apply(op::Softmax{}, {x}); }

Tensor concat(std::initializer_list<Tensor> parts) { return mend::apply(op::Concat{}, parts); }
Tensor concat(const std::vector<Tensor>& parts) { return mend::apply(op::Concat{}, Inputs(parts)); }
Tensor slice_channels(const Tensor& x, int first, int count) {
  return apply(op::SliceChannels{first, count}, {x});
}
Tensor pixel_shuffle(const Tensor& x, int factor) { return apply(op::PixelShuffle{factor}, {x}); }
Tensor pixel_unshuffle(const Tensor& x, int factor) {
  return apply(op::PixelUnshuffle{factor}, {x});
}

Tensor upsample_nearest(const Tensor& x, int factor) {
  return spread(x, x.shape().h * factor, x.shape().w * factor);
}
Tensor spread(const Tensor& x, int h, int w) {
  return apply(op::Resample{.mode = ResampleMode::kNearest, .height = h, .width = w}, {x});
}
Tensor resize_bilinear(const Tensor& x, int h, int w, bool align_corners) {
  return apply(
      op::Resample{
          .mode = ResampleMode::kBilinear, .height = h, .width = w, .align_corners = align_corners},
      {x});
}

Tensor pad(const Tensor& x, const Margins& margins, PadMode mode) {
  const auto [top, bottom, left, right] = margins;
  if (top == 0 && bottom == 0 && left == 0 && right == 0) return x;
  return apply(op::Pad{top, bottom, left, right, mode}, {x});
}
Tensor pad_to_multiple(const Tensor& x, int multiple, PadMode mode) {
  return pad(x, {.bottom = lacking(x.shape().h, multiple), .right = lacking(x.shape().w, multiple)},
             mode);
}
Tensor crop(const Tensor& x, int top, int left, int h, int w) {
  if (h == x.shape().h && w == x.shape().w) return x;
  return apply(op::Crop{top, left, h, w}, {x});
}
Tensor window_partition(const Tensor& x, int h, int w) {
  return apply(op::WindowPartition{h, w}, {x});
}
Tensor window_merge(const Tensor& x, int h, int w) { return apply(op::WindowMerge{h, w}, {x}); }
Tensor trim(const Tensor& x, int border) {
  return crop(x, border, border, x.shape().h - 2 * border, x.shape().w - 2 * border);
}

Tensor max_pool(const Tensor& x, int kernel, int stride) {
  return apply(op::Pool{.kind = PoolKind::kMax, .kernel = kernel, .stride = stride}, {x});
}
Tensor adaptive_max_pool(const Tensor& x, int h, int w) {
  return apply(op::AdaptivePool{.kind = PoolKind::kMax, .height = h, .width = w}, {x});
}
Tensor global_average_pool(const Tensor& x) {
  return apply(op::AdaptivePool{.kind = PoolKind::kAverage, .height = 1, .width = 1}, {x});
}
Tensor box_mean(const Tensor& x, int kernel_h, int kernel_w) {
  return apply(op::BoxMean{kernel_h, kernel_w}, {x});
}

Tensor real_fft2(const Tensor& x, FftNorm norm, int patch) {
  return apply(op::RealFft2{norm, patch}, {x});
}
Tensor inverse_real_fft2(const Tensor& x, int width, FftNorm norm, int patch) {
  return apply(op::InverseRealFft2{norm, width, patch}, {x});
}
Tensor complex_multiply(const Tensor& x, const Tensor& z) {
  return apply(op::ComplexMultiply{}, {x, z});
}
Tensor spectral_gain(const Tensor& x, const Tensor& gain) {
  return apply(op::SpectralGain{}, {x, gain});
}

Tensor average_pool(const Tensor& x, int kernel, int stride) {
  return apply(op::Pool{.kind = PoolKind::kAverage, .kernel = kernel, .stride = stride}, {x});
}

Tensor reshape(const Tensor& x, int n, int h, int w) { return apply(op::Reshape{n, h, w}, {x}); }

}  // namespace mend
