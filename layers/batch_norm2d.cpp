#include "layers/batch_norm2d.h"

#include <cmath>

#include "layers/functions.h"

namespace mend {
namespace {

Tensor inverse_square_root(const Tensor& variance, float epsilon) {
  const Tensor result = Tensor::empty(variance.shape());
  const View<const float> from = variance.view<const float>();
  const View<float> to = result.view<float>();
  for (int c = 0; c < variance.shape().c; ++c) {
    to.data[c] = static_cast<float>(1.0 / std::sqrt(double{from.data[c]} + epsilon));
  }
  return result;
}

}  // namespace

BatchNorm2d::BatchNorm2d(const Scope& p, int channels, float epsilon)
    : weight(p.vector("weight", channels)),
      bias(p.vector("bias", channels)),
      running_mean(p.vector("running_mean", channels)),
      running_var(p.vector("running_var", channels)),
      inverse_deviation(inverse_square_root(running_var, epsilon)) {}

Tensor BatchNorm2d::operator()(const Tensor& x) const {
  // Only vectors until the last line: a plan computes them once.
  const Tensor scale = weight * inverse_deviation;
  const Tensor offset = bias - running_mean * scale;
  return x * scale + offset;
}

}  // namespace mend
