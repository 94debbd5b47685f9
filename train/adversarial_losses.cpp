#include "engine/error.h"
#include "kernels/pixel_loss/pixel_loss.h"
#include "train/losses.h"

namespace mend {
namespace {

Loss judged(const PixelLoss& loss, const Tensor& z, bool is_real) {
  if (!z) throw ShapeError("adversarial loss: there are no logits");
  const Tensor wanted = Tensor::full(z.shape(), is_real ? 1.0f : 0.0f);
  const Tensor gradient = Tensor::empty(z.shape());
  const double value =
      pixel_loss(loss, z.view<const float>(), wanted.view<const float>(), gradient.view<float>());
  return {value, gradient};
}

}  // namespace

PixelLoss discriminator_loss(GanKind kind) {
  switch (kind) {
    case GanKind::kVanilla:
      return {PixelLossKind::kLogistic};
    case GanKind::kLeastSquares:
      return {PixelLossKind::kMse};
    case GanKind::kHinge:
      break;
  }
  return {PixelLossKind::kHinge};
}

PixelLoss generator_loss(GanKind kind) {
  if (kind == GanKind::kHinge) return {PixelLossKind::kWasserstein};
  return discriminator_loss(kind);
}

Loss generator_loss(const Tensor& z, GanKind kind) { return judged(generator_loss(kind), z, true); }

Loss discriminator_loss(const Tensor& z, GanKind kind, bool is_real) {
  return judged(discriminator_loss(kind), z, is_real);
}

}  // namespace mend
