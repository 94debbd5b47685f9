#include "kernels/normalization/global_response.h"

#include <cmath>
#include <vector>

#include "kernels/cuda/memory_seconds.h"

namespace mend {
namespace {

double seconds(const op::GlobalResponseNorm& norm, const Shapes& in) {
  return norm.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::GlobalResponseNorm, GlobalResponseNormKernel> kLadder[] = {
    {"global_response_norm/reference", DeviceKind::kCpu, never_refuses, slowest, 0, global_response_norm_reference},
    {"global_response_norm/simd", DeviceKind::kCpu, never_refuses, seconds, 1e-6, global_response_norm_simd},
#ifdef MEND_HAS_CUDA
    {"global_response_norm/cuda", DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 2e-6, global_response_norm_cuda},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::GlobalResponseNorm, GlobalResponseNormKernel>>
global_response_norm_ladder() {
  return kLadder;
}

void global_response_norm_reference(const op::GlobalResponseNorm& norm, View<const float> x,
                                    View<const float> gamma, View<const float> beta, View<float> y,
                                    Scratch) {
  const auto [N, H, W, C] = x.shape;
  for (int n = 0; n < N; ++n) {
    std::vector<double> g(static_cast<std::size_t>(C));
    double mean = 0;
    for (int c = 0; c < C; ++c) {
      double squares = 0;
      for (int h = 0; h < H; ++h)
        for (int w = 0; w < W; ++w) squares += double{x(n, h, w, c)} * x(n, h, w, c);
      g[static_cast<std::size_t>(c)] = std::sqrt(squares);
      mean += g[static_cast<std::size_t>(c)] / C;
    }
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w)
        for (int c = 0; c < C; ++c) {
          const double share = g[static_cast<std::size_t>(c)] / (mean + norm.eps);
          const double value = x(n, h, w, c);
          y(n, h, w, c) =
              static_cast<float>(gamma(0, 0, 0, c) * value * share + beta(0, 0, 0, c) + value);
        }
  }
}

namespace op {

Shape GlobalResponseNorm::shape(const Shapes& in) const {
  for (const Slot slot : {kGamma, kBeta}) {
    if (in[slot] != vector_shape(in[kX].c)) {
      throw ShapeError(fmt::format("global_response_norm: {} is {}, but x is {}",
                                   slot == kGamma ? "gamma" : "beta", to_string(in[slot]),
                                   to_string(in[kX])));
    }
  }
  return in[kX];
}

Cost GlobalResponseNorm::cost(const Shapes& in) const {
  const double elements = static_cast<double>(in[kX].elements());
  return {4 * elements, 3 * sizeof(float) * elements};  // two passes over x
}

Footprint GlobalResponseNorm::footprint(const Shapes&) const { return {0, 1, 1, true}; }

std::int64_t GlobalResponseNorm::scratch_bytes(const Shapes& in) const {
  const Shape& x = in[kX];  // sums of squares of each row, then a factor for each channel
  const std::int64_t rows = std::int64_t{x.n} * x.h * x.c * std::int64_t{sizeof(double)};
  return rows + std::int64_t{x.n} * x.c * std::int64_t{sizeof(float)};
}

void GlobalResponseNorm::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung =
      choose(global_response_norm_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kGamma].view<const float>(),
              inputs[kBeta].view<const float>(), y.view<float>(), scratch);
}

}  // namespace op
}  // namespace mend
