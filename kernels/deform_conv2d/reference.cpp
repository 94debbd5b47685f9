// The truth: the formula of deform_conv2d.h, loop by loop, with sums in double.
#include <cmath>
#include <limits>

#include "kernels/deform_conv2d/rungs.h"

namespace mend {
namespace {

/// x at (h, w) between its pixels, with zeros around.
double bilinear(View<const float> x, int n, double h, double w, int c) {
  if (!std::isfinite(h) || !std::isfinite(w)) return std::numeric_limits<double>::quiet_NaN();
  if (h <= -1 || h >= x.shape.h || w <= -1 || w >= x.shape.w) return 0;
  const int top = static_cast<int>(std::floor(h)), left = static_cast<int>(std::floor(w));
  double sum = 0;
  for (int row = top; row <= top + 1; ++row)
    for (int column = left; column <= left + 1; ++column) {
      const double weight = (1 - std::abs(h - row)) * (1 - std::abs(w - column));
      const bool inside = row >= 0 && row < x.shape.h && column >= 0 && column < x.shape.w;
      if (inside && weight > 0) sum += weight * x(n, row, column, c);
    }
  return sum;
}

}  // namespace

void deform_conv2d_reference(const DeformConv2dCall& call) {
  const auto& [op, x, offset, mask, weight, bias, y, scratch] = call;
  const int C = x.shape.c / op.groups;  // channels that one output sees
  const int K = y.shape.c / op.groups;  // outputs of one group
  const int R = op.kernel_h, S = op.kernel_w;
  for (int n = 0; n < y.shape.n; ++n)
    for (int p = 0; p < y.shape.h; ++p)
      for (int q = 0; q < y.shape.w; ++q)
        for (int k = 0; k < y.shape.c; ++k) {
          double sum = bias ? bias.data[k] : 0;
          for (int r = 0; r < R; ++r)
            for (int s = 0; s < S; ++s)
              for (int c = 0; c < C; ++c) {
                const int channel = k / K * C + c;
                const int g = channel / (x.shape.c / op.offset_groups);
                const int t = (g * R + r) * S + s;
                const double h =
                    double(p * op.stride + r * op.dilation - op.padding_h) + offset(n, p, q, 2 * t);
                const double w = double(q * op.stride + s * op.dilation - op.padding_w) +
                                 offset(n, p, q, 2 * t + 1);
                const double gate = mask ? mask(n, p, q, t) : 1;
                sum += weight(k, r, s, c) * gate * bilinear(x, n, h, w, channel);
              }
          y(n, p, q, k) = static_cast<float>(sum);
        }
}

}  // namespace mend
