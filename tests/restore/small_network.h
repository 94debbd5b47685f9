// A network of convolutions, and how a picture goes through it.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/conv2d/conv2d.h"
#include "layers/functions.h"
#include "restore/tiled_network.h"
#include "tests/support/guarded.h"

namespace mend::test {

/// A 3x3 convolution with parameters of its own.
struct Layer {
  Layer(int in, int out, std::uint64_t seed)
      : weight((1.5f / std::sqrt(9.0f * static_cast<float>(in))) *
               random_tensor({out, 3, 3, in}, seed)),
        bias(0.1f * random_tensor(vector_shape(out), seed + 1)) {
    op.kernel_h = op.kernel_w = 3;
    op.padding_h = op.padding_w = 1;
    op.outputs = out;
  }
  Tensor operator()(const Tensor& x) const { return apply(op, {x, weight, bias}); }

  op::Conv2d op;
  Tensor weight, bias;
};

/// Five convolutions with a sum around two of them.
struct SmallNetwork {
  explicit SmallNetwork(int width = 24)
      : first(3, width, 1),
        a(width, width, 3),
        b(width, width, 5),
        c(width, width, 7),
        last(width, 3, 9) {}

  std::vector<Tensor> operator()(const std::vector<Tensor>& in) const {
    const Tensor x = relu(first(in[0]));
    const Tensor z = x + b(lrelu(a(x)));
    return {in[0] + 0.1f * last(gelu(c(z)))};
  }

  Layer first, a, b, c, last;
};

/// x through `network`, in tiles if the options say so.
inline Tensor run_tiled(const Network& network, const Tensor& x, const TileOptions& options) {
  const Tensor y = Tensor::zeros(x.shape());
  const auto copy = [](const Tensor& from, const Tensor& to) {
    for (int i = 0; i < to.shape().h; ++i)
      for (int j = 0; j < to.shape().w; ++j)
        for (int c = 0; c < 3; ++c) to.view<float>()(0, i, j, c) = from.view<float>()(0, i, j, c);
  };
  TiledNetwork({.network = network})
      .run(
          x.shape().h, x.shape().w, options,
          [&](const Rectangle& r, const Tensor& to) { copy(x.crop(r.y, r.x, r.h, r.w), to); },
          [&](const Rectangle& r, const Tensor& pixels) {
            copy(pixels, y.crop(r.y, r.x, r.h, r.w));
          });
  return y;
}

}  // namespace mend::test
