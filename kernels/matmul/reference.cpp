// The truth: rows times columns, sums in double.
#include "kernels/matmul/variants.h"

namespace mend {

void matmul_reference(const op::Matmul& op, View<const float> a, View<const float> b, View<float> y,
                      Scratch) {
  const auto [B, H, M, N] = y.shape;
  const int K = op.inner({a.shape, b.shape});
  for (int n = 0; n < B; ++n)
    for (int h = 0; h < H; ++h) {
      const int an = a.shape.n == 1 ? 0 : n, ah = a.shape.h == 1 ? 0 : h;
      const int bn = b.shape.n == 1 ? 0 : n, bh = b.shape.h == 1 ? 0 : h;
      for (int i = 0; i < M; ++i)
        for (int j = 0; j < N; ++j) {
          double sum = 0;
          for (int k = 0; k < K; ++k) {
            sum += double(op.transpose_a ? a(an, ah, k, i) : a(an, ah, i, k)) *
                   (op.transpose_b ? b(bn, bh, j, k) : b(bn, bh, k, j));
          }
          y(n, h, i, j) = static_cast<float>(sum);
        }
    }
}

}  // namespace mend
