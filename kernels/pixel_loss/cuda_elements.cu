// The losses in double, as on the CPU: a picture has few channels, so neither memory nor the arithmetic
// of this takes long beside the convolutions.
#include "kernels/cuda/each_element.cuh"
#include "kernels/cuda/sum.cuh"
#include "kernels/pixel_loss/cuda.h"

namespace mend {
namespace {

__device__ double sign(double d) { return d > 0 ? 1 : d < 0 ? -1 : d; }

/// A logit, and the sign s = 2·target − 1 that it should have.
struct Logit {
  double x, s;
  __device__ explicit Logit(const float (&in)[2]) : x(in[0]), s(2 * double{in[1]} - 1) {}

  __device__ double softplus() const {
    const double a = -s * x;
    return (a > 0 ? a : 0) + log1p(exp(-fabs(a)));
  }
  /// The derivative of the softplus.
  __device__ double sigmoid() const {
    const double a = -s * x, decay = exp(-fabs(a));
    return a > 0 ? 1 / (1 + decay) : decay / (1 + decay);
  }
  __device__ double lacking() const { return 1 - s * x; }
};

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
      case PixelLossKind::kLogarithm:
        return log(fabs(d) + parameter);
      case PixelLossKind::kRoot:
        return sqrt(fabs(d));
      case PixelLossKind::kKnownL1:
        return isnan(in[1]) ? 0 : fabs(d);
      case PixelLossKind::kLogistic:
        return Logit(in).softplus();
      case PixelLossKind::kHinge:
        return Logit(in).lacking() <= 0 ? 0 : Logit(in).lacking();  // a NaN stays
      case PixelLossKind::kWasserstein:
        return -Logit(in).s * in[0];
      case PixelLossKind::kKnown:
        return isnan(in[1]) ? 0 : 1;
    }
    return 0;
  }
};

/// ∂ρ/∂x of x and the target, times `scale`.
struct SlopeOf {
  PixelLossKind kind;
  double parameter, scale;
  __device__ float operator()(const float (&in)[2]) const {
    return static_cast<float>(scale * slope(in));
  }
  __device__ double slope(const float (&in)[2]) const {
    const double d = double{in[0]} - in[1];
    switch (kind) {
      case PixelLossKind::kL1:
        return sign(d);
      case PixelLossKind::kMse:
        return 2 * d;
      case PixelLossKind::kSmoothL1:
        return fabs(d) < parameter ? d / parameter : sign(d);
      case PixelLossKind::kCharbonnier:
        return d / sqrt(d * d + parameter * parameter);
      case PixelLossKind::kLogarithm:
        return sign(d) / (fabs(d) + parameter);
      case PixelLossKind::kRoot:
        return d == 0 ? 0 : sign(d) / (2 * sqrt(fabs(d)));
      case PixelLossKind::kKnownL1:
        return isnan(in[1]) ? 0 : sign(d);
      case PixelLossKind::kLogistic:
        return -Logit(in).s * Logit(in).sigmoid();
      case PixelLossKind::kHinge: {
        const double lacking = Logit(in).lacking();
        return lacking > 0 ? -Logit(in).s : lacking <= 0 ? 0 : lacking;
      }
      case PixelLossKind::kWasserstein:
        return -Logit(in).s;
      case PixelLossKind::kKnown:
        return 0;
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
  launch_sum<float>("pixel_loss_value/cuda", {x, target}, y, scale_of(loss, x.shape),
                    ValueOf{loss.kind, loss.parameter});
}

void pixel_loss_gradient_cuda(const PixelLoss& loss, View<const float> x, View<const float> target,
                              View<float> y) {
  launch_each_element("pixel_loss_gradient/cuda", {x, target}, y,
                      SlopeOf{loss.kind, loss.parameter, scale_of(loss, x.shape)});
}

}  // namespace mend
