#include "kernels/attention/gradient.h"

#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/matmul/matmul.h"
#include "kernels/normalization/gradient.h"
#include "kernels/normalization/normalization.h"
#include "kernels/rearrange/rearrange.h"

namespace mend::op {
namespace {

Tensor binary(BinaryKind kind, const Tensor& x, const Tensor& z) {
  return apply(Binary{kind}, {x, z});
}
Tensor multiply(const Tensor& x, const Tensor& z) { return binary(BinaryKind::kMultiply, x, z); }
Tensor scaled(const Tensor& x, float scale) { return apply(Affine{.scale = scale}, {x}); }
Tensor transposed(const Tensor& x) { return apply(Transpose{}, {x}); }
/// a·b, aᵀ·b and a·bᵀ, matrix by matrix.
Tensor product(const Tensor& a, const Tensor& b) { return apply(Matmul{}, {a, b}); }
Tensor product_ta(const Tensor& a, const Tensor& b) {
  return apply(Matmul{.transpose_a = true}, {a, b});
}
Tensor product_tb(const Tensor& a, const Tensor& b) {
  return apply(Matmul{.transpose_b = true}, {a, b});
}

/// The gradients of an attention whose operands are matrices, [batches, heads, tokens, channels].
struct MatrixGradients {
  Tensor q, k, v, scores;
};

MatrixGradients attend_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& dy,
                                const Tensor& weights, float scale) {
  const Tensor of_scores = apply(SoftmaxGradient{}, {weights, product_tb(dy, v)});
  return {scaled(product(of_scores, k), scale), scaled(product_ta(of_scores, q), scale),
          product_ta(weights, dy), of_scores};
}

/// All windows as one: the channels of each head, as matrices of all pixels of an image.
SplitWindows whole_images(const Shape& x, int heads) {
  return {.windows = {.window_h = x.h, .window_w = x.w, .heads = heads}};
}

}  // namespace

Tensors WindowAttention::backward(const Backward& call) const {
  const Shape image = call.inputs[kQ].shape();
  const Tensor bias = call.input(kBias);
  const SplitWindows of_queries{*this}, of_keys{*this, true};
  const Tensor q = apply(of_queries, {call.inputs[kQ]}), dy = apply(of_queries, {call.dy});
  const Tensor k = apply(of_keys, {call.inputs[kK]}), v = apply(of_keys, {call.inputs[kV]});
  Tensor scores = scaled(product_tb(q, k), scale);
  if (bias) scores = binary(BinaryKind::kAdd, scores, transposed(bias));
  if (mask != WindowMask::kNone && (shift_h > 0 || shift_w > 0)) {
    scores = apply(MaskWindows{*this, image.h, image.w}, {scores});
  }
  const MatrixGradients of = attend_backward(q, k, v, dy, apply(Softmax{}, {scores}), scale);
  Tensors gradients(4);
  if (call.wants(kQ)) gradients[kQ] = apply(MergeWindows{*this, false, image.h, image.w}, {of.q});
  if (call.wants(kK)) gradients[kK] = apply(MergeWindows{*this, true, image.h, image.w}, {of.k});
  if (call.wants(kV)) gradients[kV] = apply(MergeWindows{*this, true, image.h, image.w}, {of.v});
  if (call.wants(kBias)) {
    gradients[kBias] = transposed(sum_to(of.scores, {1, heads, queries(), keys()}));
  }
  return gradients;
}

Saves WindowAttention::saves(const std::vector<bool>&) const {
  return {.inputs = 1u << kQ | 1u << kK | 1u << kV | 1u << kBias};
}

/// A row of tokens is a window one pixel high.
Tensors Attention::backward(const Backward& call) const {
  const Shape of_q = call.inputs[kQ].shape(), of_k = call.inputs[kK].shape();
  const WindowAttention queries{.window_h = 1, .window_w = of_q.w, .heads = heads};
  const WindowAttention keys{.window_h = 1, .window_w = of_k.w, .heads = heads};
  const Tensor q = apply(SplitWindows{queries}, {call.inputs[kQ]});
  const Tensor dy = apply(SplitWindows{queries}, {call.dy});
  const Tensor k = apply(SplitWindows{keys}, {call.inputs[kK]});
  const Tensor v = apply(SplitWindows{keys}, {call.inputs[kV]});
  const Tensor weights = apply(Softmax{}, {scaled(product_tb(q, k), scale)});
  const MatrixGradients of = attend_backward(q, k, v, dy, weights, scale);
  Tensors gradients(3);
  if (call.wants(kQ)) gradients[kQ] = apply(MergeWindows{queries, false, of_q.h, of_q.w}, {of.q});
  if (call.wants(kK)) gradients[kK] = apply(MergeWindows{keys, false, of_k.h, of_k.w}, {of.k});
  if (call.wants(kV)) gradients[kV] = apply(MergeWindows{keys, false, of_k.h, of_k.w}, {of.v});
  return gradients;
}

Saves Attention::saves(const std::vector<bool>&) const {
  return {.inputs = 1u << kQ | 1u << kK | 1u << kV};
}

namespace {

/// Columns of length 1, and their lengths: [N,heads,1,channels].
struct Normalized {
  explicit Normalized(const Tensor& x) {
    const Shape s = x.shape();
    const Tensor squares = sum_products_to(x, x, {s.n, s.h, 1, s.c});
    length = binary(BinaryKind::kPower, apply(Affine{.low = 1e-24f}, {squares}),
                    constant_beside(squares, Tensor::full({1, 1, 1, 1}, 0.5f)));
    unit = binary(BinaryKind::kDivide, x, length);
  }

  /// dx = (du − u · Σ u·du) / |x|
  Tensor backward(const Tensor& of_unit) const {
    const Tensor along = multiply(unit, sum_products_to(of_unit, unit, length.shape()));
    return binary(BinaryKind::kDivide, binary(BinaryKind::kSubtract, of_unit, along), length);
  }

  Tensor unit, length;
};

}  // namespace

/// With u, t the normalized columns of q, k: S0 = uᵀ·t, P = softmax(temperature·S0), Y = V·Pᵀ.
Tensors ChannelAttention::backward(const Backward& call) const {
  const Shape image = call.inputs[kQ].shape();
  const SplitWindows split = whole_images(image, heads);
  const auto merged = [&](const Tensor& x) {
    return apply(MergeWindows{split.windows, false, image.h, image.w}, {x});
  };
  const Normalized q(apply(split, {call.inputs[kQ]})), k(apply(split, {call.inputs[kK]}));
  const Tensor v = apply(split, {call.inputs[kV]}), dy = apply(split, {call.dy});
  // [1,1,1,heads] -> [1,heads,1,1]
  const Tensor temperature = apply(Reshape{1, heads, 1}, {transposed(call.inputs[kTemperature])});
  const Tensor cosines = product_ta(q.unit, k.unit);
  const Tensor weights = apply(Softmax{}, {multiply(cosines, temperature)});
  const Tensor of_scores = apply(SoftmaxGradient{}, {weights, product_ta(dy, v)});
  const Tensor of_cosines = multiply(of_scores, temperature);
  Tensors gradients(4);
  if (call.wants(kQ)) gradients[kQ] = merged(q.backward(product_tb(k.unit, of_cosines)));
  if (call.wants(kK)) gradients[kK] = merged(k.backward(product(q.unit, of_cosines)));
  if (call.wants(kV)) gradients[kV] = merged(product(dy, weights));
  if (call.wants(kTemperature)) {
    const Tensor sums = sum_products_to(of_scores, cosines, {1, heads, 1, 1});
    gradients[kTemperature] = transposed(apply(Reshape{1, 1, heads}, {sums}));
  }
  return gradients;
}

Saves ChannelAttention::saves(const std::vector<bool>&) const {
  return {.inputs = 1u << kQ | 1u << kK | 1u << kV | 1u << kTemperature};
}

Tensors GatherBias::backward(const Backward& call) const {
  const GatherBiasGradient gradient{call.inputs[kTable].shape().w};
  return {apply(gradient, {call.dy, call.inputs[kIndex]}), {}};
}

Saves GatherBias::saves(const std::vector<bool>&) const { return {.inputs = 1u << kIndex}; }

}  // namespace mend::op
