#include <cmath>

#include "train/loss_sums.h"
#include "train/losses.h"

namespace mend {
namespace {

/// The mean of term(z) over all numbers.
template <class TermOf>
Loss mean_over(const Tensor& z, const TermOf& term) {
  if (!z) throw ShapeError("adversarial loss: there are no logits");
  const Shape& shape = z.shape();
  const Tensor gradient = Tensor::empty(shape);
  const View<const float> from = z.view<const float>();
  const View<float> to = gradient.view<float>();
  const double share = 1 / static_cast<double>(shape.elements());
  const std::vector<double> rows = each_row(shape, [&](int n, int h) {
    double row = 0;
    for (int w = 0; w < shape.w; ++w)
      for (int c = 0; c < shape.c; ++c) {
        const Term t = term(double{from(n, h, w, c)});
        row += t.value;
        to(n, h, w, c) = static_cast<float>(t.slope * share);
      }
    return row;
  });
  return {sum(rows) * share, gradient};
}

/// ln(1 + exp(a)), and the sigmoid: without overflow for any a.
Term softplus(double a) {
  const double decay = std::exp(-std::abs(a));
  const double sigmoid = a > 0 ? 1 / (1 + decay) : decay / (1 + decay);
  return {(a > 0 ? a : 0) + std::log1p(decay), sigmoid};
}

/// The term of a verdict that should lie on the side of `sign`: 1 for real, −1 for made.
Term judged(double z, GanKind kind, double sign) {
  switch (kind) {
    case GanKind::kVanilla: {
      const Term t = softplus(-sign * z);
      return {t.value, -sign * t.slope};
    }
    case GanKind::kLeastSquares: {
      const double d = z - (sign > 0 ? 1 : 0);
      return {d * d, 2 * d};
    }
    case GanKind::kHinge:
      break;
  }
  const double lacking = 1 - sign * z;
  if (std::isnan(z)) return {z, z};
  return lacking > 0 ? Term{lacking, -sign} : Term{0, 0};
}

}  // namespace

Loss generator_loss(const Tensor& z, GanKind kind) {
  if (kind == GanKind::kHinge) return mean_over(z, [](double of) { return Term{-of, -1}; });
  return mean_over(z, [kind](double of) { return judged(of, kind, 1); });
}

Loss discriminator_loss(const Tensor& z, GanKind kind, bool is_real) {
  return mean_over(z, [=](double of) { return judged(of, kind, is_real ? 1 : -1); });
}

}  // namespace mend
