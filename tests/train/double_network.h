// Networks that training looks through, once more: plain loops in double, for values and for finite
// differences that rounding does not spoil.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "engine/tensor.h"

namespace mend::test {

/// Numbers [N,H,W,C] in NHWC order.
struct Doubles {
  Shape shape;
  std::vector<double> values;

  explicit Doubles(const Shape& s) : shape(s), values(static_cast<std::size_t>(s.elements())) {}
  explicit Doubles(const Tensor& x) : Doubles(x.shape()) {
    const View<const float> from = x.view<const float>();
    for (int n = 0; n < shape.n; ++n)
      for (int h = 0; h < shape.h; ++h)
        for (int w = 0; w < shape.w; ++w)
          for (int c = 0; c < shape.c; ++c) (*this)(n, h, w, c) = from(n, h, w, c);
  }
  double& operator()(int n, int h, int w, int c) {
    return values[static_cast<std::size_t>(((n * shape.h + h) * shape.w + w) * shape.c + c)];
  }
  double operator()(int n, int h, int w, int c) const {
    return values[static_cast<std::size_t>(((n * shape.h + h) * shape.w + w) * shape.c + c)];
  }
};

inline Doubles conv(const Doubles& x, const Doubles& weight, const Doubles* bias, int stride,
                    int padding) {
  const auto [K, R, S, C] = weight.shape;
  const int P = (x.shape.h + 2 * padding - R) / stride + 1;
  const int Q = (x.shape.w + 2 * padding - S) / stride + 1;
  Doubles y({x.shape.n, P, Q, K});
  for (int n = 0; n < x.shape.n; ++n)
    for (int p = 0; p < P; ++p)
      for (int q = 0; q < Q; ++q)
        for (int k = 0; k < K; ++k) {
          double sum = bias == nullptr ? 0 : (*bias)(0, 0, 0, k);
          for (int r = 0; r < R; ++r)
            for (int s = 0; s < S; ++s) {
              const int h = p * stride + r - padding, w = q * stride + s - padding;
              if (h < 0 || h >= x.shape.h || w < 0 || w >= x.shape.w) continue;
              for (int c = 0; c < C; ++c) sum += x(n, h, w, c) * weight(k, r, s, c);
            }
          y(n, p, q, k) = sum;
        }
  return y;
}

/// x >= 0 ? x : slope·x
inline Doubles rectified(Doubles x, double slope) {
  for (double& value : x.values) value = value >= 0 ? value : slope * value;
  return x;
}

inline Doubles added(Doubles x, const Doubles& z) {
  for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] += z.values[i];
  return x;
}

/// Twice as large, bilinear, centres of pixels on a grid of halves: align_corners=False.
inline Doubles twice(const Doubles& x) {
  Doubles y({x.shape.n, 2 * x.shape.h, 2 * x.shape.w, x.shape.c});
  const auto taps = [](int at, int extent, int& low, int& high) {
    const double place = std::max(0.0, (at + 0.5) / 2 - 0.5);
    low = static_cast<int>(place);
    high = std::min(low + 1, extent - 1);
    return place - low;
  };
  for (int n = 0; n < y.shape.n; ++n)
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w)
        for (int c = 0; c < y.shape.c; ++c) {
          int top = 0, bottom = 0, left = 0, right = 0;
          const double down = taps(h, x.shape.h, top, bottom);
          const double along = taps(w, x.shape.w, left, right);
          y(n, h, w, c) =
              (1 - down) * ((1 - along) * x(n, top, left, c) + along * x(n, top, right, c)) +
              down * ((1 - along) * x(n, bottom, left, c) + along * x(n, bottom, right, c));
        }
  return y;
}

inline Doubles max_of_two_by_two(const Doubles& x) {
  Doubles y({x.shape.n, x.shape.h / 2, x.shape.w / 2, x.shape.c});
  for (int n = 0; n < y.shape.n; ++n)
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w)
        for (int c = 0; c < y.shape.c; ++c) {
          y(n, h, w, c) = std::max({x(n, 2 * h, 2 * w, c), x(n, 2 * h, 2 * w + 1, c),
                                    x(n, 2 * h + 1, 2 * w, c), x(n, 2 * h + 1, 2 * w + 1, c)});
        }
  return y;
}

/// Channels brought to mean 0 and variance 1, over each image or over all of them, then scaled.
inline Doubles normed(Doubles x, bool over_batch, const Doubles* gamma, const Doubles* beta) {
  const auto [N, H, W, C] = x.shape;
  const int groups = over_batch ? 1 : N, images = N / groups;
  for (int g = 0; g < groups; ++g)
    for (int c = 0; c < C; ++c) {
      const auto each = [&, H = H, W = W](const std::function<void(double&)>& body) {
        for (int n = g * images; n < (g + 1) * images; ++n)
          for (int h = 0; h < H; ++h)
            for (int w = 0; w < W; ++w) body(x(n, h, w, c));
      };
      const double count = double(images) * H * W;
      double mean = 0, variance = 0;
      each([&](double& value) { mean += value / count; });
      each([&](double& value) { variance += (value - mean) * (value - mean) / count; });
      each([&](double& value) {
        value = (value - mean) / std::sqrt(variance + 1e-5) *
                    (gamma == nullptr ? 1 : (*gamma)(0, 0, 0, c)) +
                (beta == nullptr ? 0 : (*beta)(0, 0, 0, c));
      });
    }
  return x;
}

/// dL/dx by central differences.
inline Tensor numeric_gradient(const std::function<double(const Doubles&)>& loss, Doubles x) {
  constexpr double kStep = 1e-6;
  std::vector<float> gradient;
  for (double& value : x.values) {
    const double middle = value;
    value = middle + kStep;
    const double above = loss(x);
    value = middle - kStep;
    gradient.push_back(static_cast<float>((above - loss(x)) / (2 * kStep)));
    value = middle;
  }
  return Tensor::from(x.shape, gradient);
}

}  // namespace mend::test
