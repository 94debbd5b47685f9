#include "layers/reparametrize.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/error.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/rearrange/rearrange.h"
#include "layers/functions.h"

namespace mend {
namespace {

/// What kernel `name` is divided by, checked if it is known already.
void check_divisors(const Scope& p, const char* name, const Tensor& divisors) {
  if (divisors.is_placeholder()) return;
  const float* values = divisors.view<const float>().data;
  for (std::int64_t i = 0; i < divisors.shape().elements(); ++i) {
    if (values[i] != 0 && std::isfinite(values[i])) continue;
    throw CheckpointError(
        fmt::format("{}: is divided by its norm, which is {}; the checkpoint is damaged",
                    (p / name).path(), values[i]));
  }
}

/// u[k] · v[c,r,s] as a kernel {K,R,S,C}; v in the file's order.
Tensor outer_product(const Tensor& left, const Tensor& right, const Shape& kernel) {
  const float* u = left.view<const float>().data;
  const float* v = right.view<const float>().data;
  const auto [K, R, S, C] = kernel;
  const Tensor product = Tensor::empty(kernel);
  const View<float> to = product.view<float>();
  for (int k = 0; k < K; ++k)
    for (int r = 0; r < R; ++r)
      for (int s = 0; s < S; ++s)
        for (int c = 0; c < C; ++c) to(k, r, s, c) = u[k] * v[(c * R + r) * S + s];
  return product;
}

}  // namespace

Tensor spectral_norm_kernel(const Scope& p, int K, int R, int S, int C) {
  const bool complete = p.has("weight_orig") && p.has("weight_u") && p.has("weight_v");
  const Tensor original = p.kernel("weight_orig", K, R, S, C);
  const Tensor left = p.vector("weight_u", K), right = p.vector("weight_v", C * R * S);
  const std::string name = (p / "weight").path();
  if (!complete) return original.named(name);  // ParameterStore::finish says what is missing
  const Tensor sigma =
      sum_products_to(original, outer_product(left, right, original.shape()), vector_shape(1));
  check_divisors(p, "weight_orig", sigma);
  return (original / sigma).named(name);
}

Tensor weight_norm_kernel(const Scope& p, int K, int R, int S, int C) {
  const bool complete = p.has("weight_g") && p.has("weight_v");
  const Tensor direction = p.kernel("weight_v", K, R, S, C), length = p.vector("weight_g", K);
  const std::string name = (p / "weight").path();
  if (!complete) return direction.named(name);  // ParameterStore::finish says what is missing
  const Tensor squares = sum_products_to(direction, direction, {K, 1, 1, 1});
  check_divisors(p, "weight_v", squares);
  const Tensor norms = power(squares, Tensor::full({1, 1, 1, 1}, 0.5f));
  const Tensor lengths = reshape(mend::apply(op::Transpose{}, {length}), K, 1, 1);
  return (direction * (lengths / norms)).named(name);
}

}  // namespace mend
