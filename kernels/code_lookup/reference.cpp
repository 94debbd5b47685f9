// The truth: logit by logit.
#include <cmath>
#include <limits>

#include "kernels/code_lookup/rungs.h"

namespace mend {

void code_lookup_reference(View<const float> logits, View<const float> codes, View<float> y) {
  const auto [N, H, W, C] = y.shape;
  for (int n = 0; n < N; ++n)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w) {
        int best = 0;
        bool has_nan = false;
        for (int k = 0; k < logits.shape.c; ++k) {
          const float logit = logits(n, h, w, k);
          has_nan = has_nan || std::isnan(logit);
          if (logit > logits(n, h, w, best)) best = k;
        }
        for (int c = 0; c < C; ++c) {
          y(n, h, w, c) = has_nan ? std::numeric_limits<float>::quiet_NaN() : codes(0, 0, best, c);
        }
      }
}

}  // namespace mend
