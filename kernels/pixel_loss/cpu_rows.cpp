// The formulas in double, a few rows of pixels a task. This is the truth and fast enough beside a network's
// other steps: a picture has few channels.
#include <algorithm>
#include <array>
#include <cmath>

#include "engine/parallel.h"
#include "kernels/pixel_loss/rungs.h"

namespace mend {
namespace {

/// ρ and ∂ρ/∂x.
struct Term {
  double value, slope;
};

/// Without overflow for any logit.
Term logistic(double x, double s) {
  const double a = -s * x, decay = std::exp(-std::abs(a));
  const double sigmoid = a > 0 ? 1 / (1 + decay) : decay / (1 + decay);
  return {(a > 0 ? a : 0) + std::log1p(decay), -s * sigmoid};
}

Term hinge(double x, double s) {
  const double lacking = 1 - s * x;
  if (std::isnan(lacking)) return {lacking, lacking};
  return lacking > 0 ? Term{lacking, -s} : Term{0, 0};
}

/// −1, 0 or 1; a NaN stays one.
double sign(double d) { return d > 0 ? 1 : d < 0 ? -1 : d; }

template <class TermOf>
double sum_rows(const PixelLoss& loss, View<const float> x, View<const float> target,
                View<float> gradient, const TermOf& term) {
  constexpr std::int64_t kMostParts = 256;  // for any number of threads
  const auto [N, H, W, C] = x.shape;
  const double share = 1 / static_cast<double>(x.shape.elements());
  const std::int64_t rows = std::int64_t{N} * H, parts = std::min(rows, kMostParts);
  std::array<double, kMostParts> sums{};
  parallel_for(parts, [&, H = H, W = W, C = C](std::int64_t part, int) {
    double sum = 0;
    for (std::int64_t row = part * rows / parts; row < (part + 1) * rows / parts; ++row) {
      const int n = static_cast<int>(row / H), h = static_cast<int>(row % H);
      for (int w = 0; w < W; ++w)
        for (int c = 0; c < C; ++c) {
          const Term t = term(double{x(n, h, w, c)}, double{target(n, h, w, c)});
          sum += t.value;
          if (gradient) gradient(n, h, w, c) = static_cast<float>(loss.weight * (t.slope * share));
        }
    }
    sums[static_cast<std::size_t>(part)] = sum;
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return loss.weight * (total * share);
}

}  // namespace

double pixel_loss(const PixelLoss& loss, View<const float> x, View<const float> target,
                  View<float> gradient) {
  const auto with = [&](const auto& term) {  // of d
    return sum_rows(loss, x, target, gradient, [&](double a, double b) { return term(a - b); });
  };
  const auto judged = [&](const auto& term) {  // of a logit and s
    return sum_rows(loss, x, target, gradient,
                    [&](double a, double b) { return term(a, 2 * b - 1); });
  };
  const double parameter = loss.parameter;
  switch (loss.kind) {
    case PixelLossKind::kL1:
      return with([](double d) { return Term{std::abs(d), sign(d)}; });
    case PixelLossKind::kMse:
      return with([](double d) { return Term{d * d, 2 * d}; });
    case PixelLossKind::kSmoothL1:
      return with([beta = parameter](double d) {
        if (std::abs(d) < beta) return Term{d * d / (2 * beta), d / beta};
        return Term{std::abs(d) - beta / 2, sign(d)};
      });
    case PixelLossKind::kCharbonnier:
      return with([eps = parameter](double d) {
        const double length = std::sqrt(d * d + eps * eps);
        return Term{length, d / length};
      });
    case PixelLossKind::kLogarithm:
      return with([eps = parameter](double d) {
        return Term{std::log(std::abs(d) + eps), sign(d) / (std::abs(d) + eps)};
      });
    case PixelLossKind::kRoot:
      return with([](double d) {
        const double root = std::sqrt(std::abs(d));
        return Term{root, d == 0 ? 0 : sign(d) / (2 * root)};
      });
    case PixelLossKind::kKnownL1:
      return sum_rows(loss, x, target, gradient, [](double a, double b) {
        return std::isnan(b) ? Term{0, 0} : Term{std::abs(a - b), sign(a - b)};
      });
    case PixelLossKind::kLogistic:
      return judged(logistic);
    case PixelLossKind::kHinge:
      return judged(hinge);
    case PixelLossKind::kWasserstein:
      return judged([](double a, double s) { return Term{-s * a, -s}; });
    case PixelLossKind::kKnown:
      return sum_rows(loss, x, target, gradient, [](double, double b) {
        return Term{std::isnan(b) ? 0.0 : 1.0, 0};
      });
  }
  return 0;
}

void pixel_loss_value_rows(const PixelLoss& loss, View<const float> x, View<const float> target,
                           View<float> y) {
  *y.data = static_cast<float>(pixel_loss(loss, x, target, {}));
}

void pixel_loss_gradient_rows(const PixelLoss& loss, View<const float> x, View<const float> target,
                              View<float> y) {
  pixel_loss(loss, x, target, y);
}

}  // namespace mend
