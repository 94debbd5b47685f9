#include "layers/reparametrize.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/error.h"

namespace mend {
namespace {

/// The divisor of kernel `name`, checked; 1 if the scope lacks a part of it, which then has zeros in
/// its place and is reported by ParameterStore::finish.
double divisor(const Scope& p, const char* name, double value, bool complete) {
  if (!complete) return 1;
  if (value != 0 && std::isfinite(value)) return value;
  throw CheckpointError(
      fmt::format("{}: is divided by its norm, which is {}; the checkpoint is damaged",
                  (p / name).path(), value));
}

}  // namespace

Tensor spectral_norm_kernel(const Scope& p, int K, int R, int S, int C) {
  const bool complete = p.has("weight_orig") && p.has("weight_u") && p.has("weight_v");
  const Tensor original = p.kernel("weight_orig", K, R, S, C);
  const Tensor left = p.vector("weight_u", K), right = p.vector("weight_v", C * R * S);
  const View<const float> w = original.view<const float>();
  const float* u = left.view<const float>().data;
  const float* v = right.view<const float>().data;
  double sigma = 0;
  for (int k = 0; k < K; ++k)
    for (int r = 0; r < R; ++r)
      for (int s = 0; s < S; ++s)
        for (int c = 0; c < C; ++c) {
          sigma += double{u[k]} * w(k, r, s, c) * v[(c * R + r) * S + s];  // v in the file's order
        }
  sigma = divisor(p, "weight_orig", sigma, complete);
  const Tensor weight = Tensor::empty(original.shape());
  const View<float> to = weight.view<float>();
  for (std::int64_t i = 0; i < weight.shape().elements(); ++i) {
    to.data[i] = static_cast<float>(w.data[i] / sigma);
  }
  return weight.named((p / "weight").path());
}

Tensor weight_norm_kernel(const Scope& p, int K, int R, int S, int C) {
  const bool complete = p.has("weight_g") && p.has("weight_v");
  const Tensor direction = p.kernel("weight_v", K, R, S, C), length = p.vector("weight_g", K);
  const View<const float> v = direction.view<const float>();
  const float* g = length.view<const float>().data;
  const Tensor weight = Tensor::empty(direction.shape());
  const View<float> to = weight.view<float>();
  const std::int64_t row = std::int64_t{R} * S * C;
  for (int k = 0; k < K; ++k) {
    double squares = 0;
    for (std::int64_t i = 0; i < row; ++i)
      squares += double{v.data[k * row + i]} * v.data[k * row + i];
    const double norm = divisor(p, "weight_v", std::sqrt(squares), complete);
    for (std::int64_t i = 0; i < row; ++i) {
      to.data[k * row + i] = static_cast<float>(g[k] * (v.data[k * row + i] / norm));
    }
  }
  return weight.named((p / "weight").path());
}

}  // namespace mend
