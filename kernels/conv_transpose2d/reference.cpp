// The truth: the formula of conv_transpose2d.h, gathered for each output, with sums in double.
#include "kernels/conv_transpose2d/variant.h"

namespace mend {
namespace {

/// The input index that reaches output p through tap r; -1 if none does.
int source(int p, int r, const op::ConvTranspose2d& op, int extent) {
  const int reach = p + op.padding - r;  // = stride · index
  if (reach < 0 || reach % op.stride != 0) return -1;
  return reach / op.stride < extent ? reach / op.stride : -1;
}

}  // namespace

void conv_transpose2d_reference(const ConvTranspose2dCall& call) {
  const auto& [op, x, weight, bias, slope, y, scratch] = call;
  const int C = x.shape.c / op.groups;  // channels that one output sees
  const int K = y.shape.c / op.groups;  // outputs of one group
  for (int n = 0; n < y.shape.n; ++n)
    for (int p = 0; p < y.shape.h; ++p)
      for (int q = 0; q < y.shape.w; ++q)
        for (int k = 0; k < y.shape.c; ++k) {
          const int first = k / K * C;  // the first channel of k's group
          double sum = bias ? bias.data[k] : 0;
          for (int r = 0; r < op.kernel_h; ++r)
            for (int s = 0; s < op.kernel_w; ++s) {
              const int h = source(p, r, op, x.shape.h);
              const int w = source(q, s, op, x.shape.w);
              if (h < 0 || w < 0) continue;
              for (int c = 0; c < C; ++c) sum += double(x(n, h, w, first + c)) * weight(k, r, s, c);
            }
          const double a = slope ? slope.data[slope.shape.c == 1 ? 0 : k] : 0;
          y(n, p, q, k) = static_cast<float>(activate(op.activation, sum, a));
        }
}

}  // namespace mend
