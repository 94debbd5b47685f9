// The losses in double, as on the CPU: a picture has few channels, so neither memory nor the arithmetic
// of this takes long beside the convolutions.
#include "kernels/cuda/each_element.cuh"
#include "kernels/cuda/sum.cuh"
#include "kernels/pixel_loss/cuda.h"

namespace mend {
namespace {

__device__ double sign(double d) { return d > 0 ? 1 : d < 0 ? -1 : d; }

/// ρ of x and the target.
struct ValueOf {
  PixelLossKind kind;
  double parameter;
  __device__ double operator()(const float (&in)[2]) const {
    const double d = double{in[0]} - in[1];
    switch (kind) {
      case PixelLossKind::kL1:
        return fabs(d);
      case PixelLossKind::kMse:
        return d * d;
      case PixelLossKind::kSmoothL1:
        return fabs(d) < parameter ? d * d / (2 * parameter) : fabs(d) - parameter / 2;
      case PixelLossKind::kCharbonnier:
        return sqrt(d * d + parameter * parameter);
    }
    return 0;
  }
};

/// ρ' of x and the target, times `scale`.
struct SlopeOf {
  PixelLossKind kind;
  double parameter, scale;
  __device__ float operator()(const float (&in)[2]) const {
    const double d = double{in[0]} - in[1];
    return static_cast<float>(scale * slope(d));
  }
  __device__ double slope(double d) const {
    switch (kind) {
      case PixelLossKind::kL1:
        return sign(d);
      case PixelLossKind::kMse:
        return 2 * d;
      case PixelLossKind::kSmoothL1:
        return fabs(d) < parameter ? d / parameter : sign(d);
      case PixelLossKind::kCharbonnier:
        return d / sqrt(d * d + parameter * parameter);
    }
    return 0;
  }
};

double scale_of(const PixelLoss& loss, const Shape& x) {
  return loss.weight / static_cast<double>(x.elements());
}

}  // namespace

void pixel_loss_value_cuda(const PixelLoss& loss, View<const float> x, View<const float> target,
                           View<float> y) {
  launch_sum("pixel_loss_value/cuda", {x, target}, y, scale_of(loss, x.shape),
             ValueOf{loss.kind, loss.parameter});
}

void pixel_loss_gradient_cuda(const PixelLoss& loss, View<const float> x, View<const float> target,
                              View<float> y) {
  launch_each_element("pixel_loss_gradient/cuda", {x, target}, y,
                      SlopeOf{loss.kind, loss.parameter, scale_of(loss, x.shape)});
}

}  // namespace mend
