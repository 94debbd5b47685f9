// A Fourier transform is linear, so its gradient is the transform with the matrix transposed: of the
// transform of a real image the inverse, of the inverse the transform, but for a real gain a column.
//
//   y = F x,   F[k,l;h,w] = exp(−iθ):   dx = Re Σ_{k, l <= W/2} dy[k,l]·exp(iθ)
//
// while the inverse counts the columns 0 < l < W/2 twice, for those that a half spectrum leaves out.
#include "kernels/fft/gradient.h"

#include <algorithm>
#include <cassert>

#include "engine/parallel.h"
#include "kernels/cuda/memory_seconds.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/gradient.h"
#include "kernels/fft/fft.h"
#include "kernels/fft/spectrum.h"
#include "kernels/fft/spectrum_rungs.h"

namespace mend {
namespace {

/// A gain for each column of a half spectrum of `width` columns: `outer` for those that the inverse
/// counts once, `inner` for those that it counts twice. [1,1,width/2 + 1,channels]
Tensor column_gain(int width, int channels, double outer, double inner) {
  const int columns = width / 2 + 1;
  const Tensor gain = Tensor::empty({1, 1, columns, channels});
  for (int l = 0; l < columns; ++l) {
    const bool once = l == 0 || 2 * l == width;
    std::fill_n(gain.view<float>().pixel(0, 0, l), channels,
                static_cast<float>(once ? outer : inner));
  }
  return gain;
}

/// H·W of one transform where 1/(H·W) is all in the inverse, else 1.
double shared_factor(FftNorm norm, int height, int width, int patch) {
  if (norm == FftNorm::kOrtho) return 1;
  return patch > 0 ? static_cast<double>(patch) * patch : static_cast<double>(height) * width;
}

void sum_repeats_reference(const op::SumRepeats& op, View<const float> x, View<float> y) {
  constexpr int kBlock = 64;  // channels whose sums are kept on the stack
  const Shape& to = y.shape;
  const bool pairs = op.pairs;
  const int per_sum = pairs ? 2 : 1;
  parallel_for(to.pixels(), [&](std::int64_t pixel, int) {
    const int first_w = static_cast<int>(pixel % to.w);
    const int first_h = static_cast<int>(pixel / to.w % to.h);
    const int first_n = static_cast<int>(pixel / to.w / to.h);
    for (int block = 0; block < to.c; block += kBlock) {
      const int count = std::min(kBlock, to.c - block);
      double sum[kBlock] = {};
      for (int n = first_n; n < x.shape.n; n += to.n)
        for (int h = first_h; h < x.shape.h; h += to.h)
          for (int w = first_w; w < x.shape.w; w += to.w) {
            const float* from = x.pixel(n, h, w) + block * per_sum;
            for (int c = 0; c < count; ++c) {
              sum[c] += pairs ? double{from[2 * c]} + from[2 * c + 1] : double{from[c]};
            }
          }
      for (int c = 0; c < count; ++c) {
        y(first_n, first_h, first_w, block + c) = static_cast<float>(sum[c]);
      }
    }
  });
}

// clang-format off
constexpr Variant<op::SumRepeats, SumRepeatsKernel> kLadder[] = {
    // name                   device             can it?        time                error  entry
    {"sum_repeats/reference", DeviceKind::kCpu,  never_refuses, slowest,            0,     sum_repeats_reference},
#ifdef MEND_HAS_CUDA
    {"sum_repeats/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds, 1e-7,  sum_repeats_cuda},
#endif
};
// clang-format on

}  // namespace

std::span<const Variant<op::SumRepeats, SumRepeatsKernel>> sum_repeats_ladder() { return kLadder; }

namespace op {

Tensors RealFft2::backward(const Backward& call) const {
  const Shape x = call.inputs[0].shape();
  const int width = patch > 0 ? patch : x.w;
  const double factor = shared_factor(norm, x.h, x.w, patch);
  const Tensor gain = constant_beside(call.dy, column_gain(width, x.c, factor, factor / 2));
  return {apply(InverseRealFft2{norm, x.w, patch}, {apply(SpectralGain{}, {call.dy, gain})})};
}

Saves RealFft2::saves(const std::vector<bool>&) const { return {}; }

Tensors InverseRealFft2::backward(const Backward& call) const {
  const Shape y = call.dy.shape();
  const double factor = 1 / shared_factor(norm, y.h, y.w, patch);
  const Tensor gain =
      constant_beside(call.dy, column_gain(patch > 0 ? patch : y.w, y.c, factor, 2 * factor));
  return {apply(SpectralGain{}, {apply(RealFft2{norm, patch}, {call.dy}), gain})};
}

Saves InverseRealFft2::saves(const std::vector<bool>&) const { return {}; }

/// As of a product of real numbers, with conjugates: y = x·z has dx = dy·z*, dz = dy·x*; y = x·z* has
/// dx = dy·z, dz = x·dy*.
Tensors ComplexMultiply::backward(const Backward& call) const {
  const Tensor x = call.inputs[kX], z = call.inputs[kZ];
  const ComplexMultiply by_conjugate{true};
  Tensors gradients(2);
  if (call.wants(kX)) gradients[kX] = apply(ComplexMultiply{!conjugate_b}, {call.dy, z});
  if (call.wants(kZ)) {
    const Tensor products =
        conjugate_b ? apply(by_conjugate, {x, call.dy}) : apply(by_conjugate, {call.dy, x});
    gradients[kZ] = x.shape() == z.shape() ? products : apply(SumRepeats{z.shape()}, {products});
  }
  return gradients;
}

Saves ComplexMultiply::saves(const std::vector<bool>& wanted) const {
  return {.inputs = (wanted[kX] ? 1u << kZ : 0u) | (wanted[kZ] ? 1u << kX : 0u)};
}

Tensors SpectralGain::backward(const Backward& call) const {
  const Tensor x = call.inputs[kX], gain = call.inputs[kGain];
  Tensors gradients(2);
  if (call.wants(kX)) gradients[kX] = apply(SpectralGain{}, {call.dy, gain});
  if (call.wants(kGain)) {
    const Tensor products = apply(Binary{BinaryKind::kMultiply}, {call.dy, x});
    gradients[kGain] = apply(SumRepeats{gain.shape(), true}, {products});
  }
  return gradients;
}

Saves SpectralGain::saves(const std::vector<bool>& wanted) const {
  return {.inputs = (wanted[kX] ? 1u << kGain : 0u) | (wanted[kGain] ? 1u << kX : 0u)};
}

Shape SumRepeats::shape(const Shapes& in) const {
  const Shape& x = in[0];
  if (to.empty() || x.n % to.n != 0 || x.h % to.h != 0 || x.w % to.w != 0 ||
      x.c != (pairs ? 2 : 1) * to.c) {
    throw ShapeError(
        fmt::format("sum_repeats: {} does not repeat {}", to_string(x), to_string(to)));
  }
  return to;
}

Cost SumRepeats::cost(const Shapes& in) const {
  return {static_cast<double>(in[0].elements()),
          sizeof(float) * static_cast<double>(in[0].elements() + to.elements())};
}

Footprint SumRepeats::footprint(const Shapes&) const { return {.global = true}; }

std::string SumRepeats::describe() const {
  return fmt::format("{}{}", to_string(to), pairs ? " pairs" : "");
}

void SumRepeats::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(sum_repeats_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

}  // namespace op
}  // namespace mend
