// The truth: the formula of conv2d.h, loop by loop, with sums in double.
#include "kernels/conv2d/variant.h"

namespace mend {
namespace {

/// y = scale · activation(z) + residual for one output.
float epilogue(const Conv2dCall& call, double z, int n, int p, int q, int k) {
  const double slope = call.slope ? call.slope.data[call.slope.shape.c == 1 ? 0 : k] : 0;
  double y = call.op.scale * activate(call.op.activation, z, slope);
  if (call.residual) y += call.residual(n, p, q, k);
  return static_cast<float>(y);
}

}  // namespace

void conv2d_reference(const Conv2dCall& call) {
  const auto& [op, x, weight, bias, slope, residual, y, scratch] = call;
  const int H = x.shape.h, W = x.shape.w;
  const int C = x.shape.c / op.groups;  // channels that one output sees
  const int K = y.shape.c / op.groups;  // outputs of one group
  const int R = op.kernel_h, S = op.kernel_w;
  for (int n = 0; n < y.shape.n; ++n)
    for (int p = 0; p < y.shape.h; ++p)
      for (int q = 0; q < y.shape.w; ++q)
        for (int k = 0; k < y.shape.c; ++k) {
          const int first = k / K * C;  // the first channel of k's group
          double sum = bias ? bias.data[k] : 0;
          for (int r = 0; r < R; ++r)
            for (int s = 0; s < S; ++s) {
              const int h =
                  source_index(p * op.stride + r * op.dilation - op.padding_h, H, op.padding_mode);
              const int w =
                  source_index(q * op.stride + s * op.dilation - op.padding_w, W, op.padding_mode);
              if (h < 0 || w < 0) continue;  // zero padding
              for (int c = 0; c < C; ++c) sum += double(x(n, h, w, first + c)) * weight(k, r, s, c);
            }
          y(n, p, q, k) = epilogue(call, sum, n, p, q, k);
        }
}

}  // namespace mend
