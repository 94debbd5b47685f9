// The gradients of the normalizations over whole images or batches, and of the factors of a modulated
// convolution. Their statistics are small, [N,1,1,C]; what is done to images are sums, products and
// broadcasts.
#include <fmt/format.h>

#include "kernels/channels/channels.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/matmul/matmul.h"
#include "kernels/normalization/adaptive_instance.h"
#include "kernels/normalization/batch_norm.h"
#include "kernels/normalization/global_response.h"
#include "kernels/normalization/normalization.h"
#include "kernels/pad/pad.h"
#include "kernels/rearrange/rearrange.h"

namespace mend {
namespace {

Tensor binary(BinaryKind kind, const Tensor& x, const Tensor& z) {
  return apply(op::Binary{kind}, {x, z});
}
Tensor add(const Tensor& x, const Tensor& z) { return binary(BinaryKind::kAdd, x, z); }
Tensor subtract(const Tensor& x, const Tensor& z) { return binary(BinaryKind::kSubtract, x, z); }
Tensor multiply(const Tensor& x, const Tensor& z) { return binary(BinaryKind::kMultiply, x, z); }
Tensor divide(const Tensor& x, const Tensor& z) { return binary(BinaryKind::kDivide, x, z); }
Tensor affine(const Tensor& x, float scale, float offset = 0) {
  return apply(op::Affine{.scale = scale, .offset = offset}, {x});
}
Tensor power(const Tensor& x, float exponent) {
  return binary(BinaryKind::kPower, x, constant_beside(x, Tensor::full({1, 1, 1, 1}, exponent)));
}

/// Sums over the pixels and the channels of each group, for each channel of the group.
class GroupSums {
 public:
  GroupSums(const Shape& x, int groups) : to_{x.n, 1, 1, x.c} {
    if (groups == x.c) return;
    // Row i of the matrix has a 1 for each channel of i's group.
    same_group_ = Tensor::zeros({1, 1, x.c, x.c});
    const View<float> to = same_group_.view<float>();
    const int width = x.c / groups;
    for (int i = 0; i < x.c; ++i)
      for (int j = i / width * width; j < (i / width + 1) * width; ++j) to(0, 0, i, j) = 1;
  }

  Tensor operator()(const Tensor& x) const { return over_group(sum_to(x, to_)); }
  Tensor of_products(const Tensor& x, const Tensor& z) const {
    return over_group(sum_products_to(x, z, to_));
  }

 private:
  Tensor over_group(const Tensor& sums) const {
    return same_group_ ? apply(op::Matmul{}, {sums, constant_beside(sums, same_group_)}) : sums;
  }

  Shape to_;
  Tensor same_group_;
};

/// Row 0 or 1, [1,1,1,C], of batch statistics [1,1,2,C].
Tensor statistic(const Tensor& statistics, int row) {
  return apply(op::Crop{.left = row, .h = 1, .w = 1}, {statistics});
}

/// The two rows of batch statistics, put together.
Tensor both_statistics(const Tensor& mean, const Tensor& variance) {
  const auto column = [](const Tensor& x) { return apply(op::Transpose{}, {x}); };
  return column(apply(op::Concat{}, {column(mean), column(variance)}));
}

}  // namespace

namespace op {

/// As of a layer norm: dx = (g − mean(g) − u·mean(g·u)) / σ with g = dy·gamma, u = (x − mean(x)) / σ.
Tensors GroupNorm::backward(const Backward& call) const {
  const Tensor x = call.inputs[kX], gamma = call.input(kGamma), dy = call.dy;
  const Shape shape = x.shape();
  const GroupSums sums(shape, groups);
  const float part =
      static_cast<float>(1.0 / (static_cast<double>(shape.h) * shape.w * (shape.c / groups)));
  const Tensor distance = subtract(x, affine(sums(x), part));
  const Tensor factor = power(affine(sums.of_products(distance, distance), part, eps), -0.5f);
  const Tensor u = multiply(distance, factor);
  Tensors gradients(3);
  if (call.wants(kX)) {
    const Tensor g = gamma ? multiply(dy, gamma) : dy;
    const Tensor along = multiply(u, affine(sums.of_products(g, u), part));
    gradients[kX] = multiply(subtract(subtract(g, affine(sums(g), part)), along), factor);
  }
  if (call.wants(kGamma)) gradients[kGamma] = sum_products_to(dy, u, gamma.shape());
  if (call.wants(kBeta)) gradients[kBeta] = sum_to(dy, call.inputs[kBeta].shape());
  return gradients;
}

Saves GroupNorm::saves(const std::vector<bool>&) const {
  return {.inputs = 1u << kX | 1u << kGamma};
}

Tensors BatchStatistics::backward(const Backward& call) const {
  const Tensor x = call.inputs[0];
  const float part = 1 / static_cast<float>(x.shape().pixels());
  const Tensor distance = subtract(x, statistic(call.y, 0));
  const Tensor along = multiply(distance, affine(statistic(call.dy, 1), 2 * part));
  return {add(along, affine(statistic(call.dy, 0), part))};
}

Saves BatchStatistics::saves(const std::vector<bool>&) const { return {.inputs = 1, .y = true}; }

/// With d = √(variance + eps): dx = dy·gamma/d,   dmean = −Σ dy · gamma/d,
///   dvariance = −½ Σ dy·(x − mean) · gamma/d³,   dgamma = Σ dy·(x − mean) / d
Tensors BatchNorm::backward(const Backward& call) const {
  const Tensor x = call.inputs[kX], statistics = call.inputs[kStatistics];
  const Tensor gamma = call.input(kGamma), dy = call.dy;
  const Shape each = vector_shape(x.shape().c);
  const Tensor factor = power(affine(statistic(statistics, 1), 1, eps), -0.5f);
  const Tensor slope = gamma ? multiply(gamma, factor) : factor;
  Tensors gradients(4);
  if (call.wants(kX)) gradients[kX] = multiply(dy, slope);
  if (call.wants(kStatistics) || call.wants(kGamma)) {
    const Tensor distance = subtract(x, statistic(statistics, 0));
    const Tensor along = multiply(sum_products_to(dy, distance, each), factor);
    if (call.wants(kGamma)) gradients[kGamma] = along;
    if (call.wants(kStatistics)) {
      const Tensor of_mean = affine(multiply(sum_to(dy, each), slope), -1);
      const Tensor of_variance = affine(multiply(multiply(along, slope), factor), -0.5f);
      gradients[kStatistics] = both_statistics(of_mean, of_variance);
    }
  }
  if (call.wants(kBeta)) gradients[kBeta] = sum_to(dy, each);
  return gradients;
}

Saves BatchNorm::saves(const std::vector<bool>& wanted) const {
  const bool reads_x = wanted[kStatistics] || (wanted.size() > kGamma && wanted[kGamma]);
  return {.inputs = 1u << kStatistics | 1u << kGamma | (reads_x ? 1u << kX : 0u)};
}

/// With u = (x − mean_x)/σ_x, v = (style − mean_s)/σ_s, their M and P pixels, and g = dy·σ_s:
///   dx = (g − mean(g) − u·Σ(g·u)/(M−1)) / σ_x,   dstyle = Σ dy / P + v·Σ(dy·u)/(P−1)
Tensors AdaptiveInstanceNorm::backward(const Backward& call) const {
  const Tensor x = call.inputs[kX], style = call.inputs[kStyle], dy = call.dy;
  const Shape each{x.shape().n, 1, 1, x.shape().c};
  const auto pixels = [](const Tensor& image) {
    return static_cast<double>(image.shape().h) * image.shape().w;
  };
  const auto distance_of = [&](const Tensor& image) {
    return subtract(image, affine(sum_to(image, each), static_cast<float>(1 / pixels(image))));
  };
  // 1/σ of what has these distances from its mean.
  const auto factor_of = [&](const Tensor& distance) {
    const auto part = static_cast<float>(1 / (pixels(distance) - 1));
    return power(affine(sum_products_to(distance, distance, each), part, eps), -0.5f);
  };
  const Tensor distance = distance_of(x), of_style = distance_of(style);
  const Tensor factor = factor_of(distance), style_factor = factor_of(of_style);
  const Tensor along = multiply(sum_products_to(dy, distance, each), factor);  // Σ dy·u
  const Tensor sums = sum_to(dy, each);
  const auto part_of = [&](const Tensor& sum, double count) {
    return affine(sum, static_cast<float>(1 / count));
  };
  Tensors gradients(2);
  if (call.wants(kX)) {
    const Tensor slope = multiply(part_of(along, pixels(x) - 1), factor);
    const Tensor rest = subtract(subtract(dy, part_of(sums, pixels(x))), multiply(distance, slope));
    gradients[kX] = multiply(rest, divide(factor, style_factor));
  }
  if (call.wants(kStyle)) {
    const Tensor slope = multiply(part_of(along, pixels(style) - 1), style_factor);
    gradients[kStyle] = add(multiply(of_style, slope), part_of(sums, pixels(style)));
  }
  return gradients;
}

Saves AdaptiveInstanceNorm::saves(const std::vector<bool>&) const {
  return {.inputs = 1u << kX | 1u << kStyle};
}

/// With the share r = g/s, s = mean(g) + eps, and y = x·(gamma·r + 1) + beta:
///   dr = gamma·Σ_{h,w} dy·x,   dg[c] = (dr[c] − Σ_k dr[k]·r[k] / C) / s,   dx gets x·dg/g more.
Tensors GlobalResponseNorm::backward(const Backward& call) const {
  const Tensor x = call.inputs[kX], gamma = call.inputs[kGamma], dy = call.dy;
  const Shape each{x.shape().n, 1, 1, x.shape().c}, image{x.shape().n, 1, 1, 1};
  const float part = 1 / static_cast<float>(x.shape().c);
  // A channel of zeros has no direction to grow in: any g above 0 gives it the gradient 0·dg/g = 0.
  const Tensor squares = apply(Affine{.low = 1e-30f}, {sum_products_to(x, x, each)});
  const Tensor g = power(squares, 0.5f);
  const Tensor s = affine(sum_to(g, image), part, eps);
  const Tensor r = divide(g, s);
  Tensors gradients(3);
  if (call.wants(kX)) {
    const Tensor dr = multiply(sum_products_to(dy, x, each), gamma);
    const Tensor common = affine(sum_products_to(dr, r, image), part);
    const Tensor of_g = divide(divide(subtract(dr, common), s), g);
    gradients[kX] = add(multiply(dy, affine(multiply(r, gamma), 1, 1)), multiply(x, of_g));
  }
  if (call.wants(kGamma)) gradients[kGamma] = sum_products_to(dy, multiply(x, r), gamma.shape());
  if (call.wants(kBeta)) gradients[kBeta] = sum_to(dy, call.inputs[kBeta].shape());
  return gradients;
}

Saves GlobalResponseNorm::saves(const std::vector<bool>&) const {
  return {.inputs = 1u << kX | 1u << kGamma};
}

/// With a[n,k] = −dy[n,k]·y[n,k]³:
///   dweight[k,r,s,c] = weight[k,r,s,c] · Σ_n a[n,k]·style[n,c]²
///   dstyle[n,c] = style[n,c] · Σ_k a[n,k] · Σ_{r,s} weight[k,r,s,c]²
Tensors Demodulate::backward(const Backward& call) const {
  const Tensor weight = call.inputs[kWeight], style = call.inputs[kStyle];
  const Shape w = weight.shape();
  const int N = style.shape().n;
  const auto as_matrix = [](const Tensor& x) { return apply(Reshape{1, 1, x.shape().n}, {x}); };
  const Tensor cubes = multiply(multiply(call.y, call.y), call.y);
  const Tensor a = as_matrix(affine(multiply(call.dy, cubes), -1));  // [1,1,N,K]
  Tensors gradients(2);
  if (call.wants(kWeight)) {
    const Tensor squares = as_matrix(multiply(style, style));              // [1,1,N,C]
    const Tensor sums = apply(Matmul{.transpose_a = true}, {a, squares});  // [1,1,K,C]
    gradients[kWeight] = multiply(weight, apply(Reshape{w.n, 1, 1}, {sums}));
  }
  if (call.wants(kStyle)) {
    const Tensor squares = as_matrix(sum_products_to(weight, weight, {w.n, 1, 1, w.c}));
    gradients[kStyle] = multiply(style, apply(Reshape{N, 1, 1}, {apply(Matmul{}, {a, squares})}));
  }
  return gradients;
}

Saves Demodulate::saves(const std::vector<bool>&) const {
  return {.inputs = 1u << kWeight | 1u << kStyle, .y = true};
}

}  // namespace op
}  // namespace mend
