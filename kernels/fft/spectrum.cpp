#include "kernels/fft/spectrum.h"

#include <cassert>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/fft/spectrum_rungs.h"

namespace mend {
namespace {

double complex_multiply_seconds(const op::ComplexMultiply& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}
double spectral_gain_seconds(const op::SpectralGain& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::ComplexMultiply, SpectrumKernel<op::ComplexMultiply>> kProductLadder[] = {
    // name                        device             can it?        time                      error  entry
    {"complex_multiply/reference", DeviceKind::kCpu,  never_refuses, slowest,                  0,     complex_multiply_reference},
    {"complex_multiply/simd",      DeviceKind::kCpu,  never_refuses, complex_multiply_seconds, 1e-6,  complex_multiply_simd},
#ifdef MEND_HAS_CUDA
    {"complex_multiply/cuda",      DeviceKind::kCuda, never_refuses, gpu_memory_seconds,       1e-6,  complex_multiply_cuda},
#endif
};

constexpr Variant<op::SpectralGain, SpectrumKernel<op::SpectralGain>> kGainLadder[] = {
    // name                        device             can it?        time                      error  entry
    {"spectral_gain/reference",    DeviceKind::kCpu,  never_refuses, slowest,                  0,     spectral_gain_reference},
    {"spectral_gain/simd",         DeviceKind::kCpu,  never_refuses, spectral_gain_seconds,    0,     spectral_gain_simd},
#ifdef MEND_HAS_CUDA
    {"spectral_gain/cuda",         DeviceKind::kCuda, never_refuses, gpu_memory_seconds,       0,     spectral_gain_cuda},
#endif
};
// clang-format on

/// Whether z can stand again and again over the pixels of x.
bool repeats(const Shape& x, const Shape& z) {
  return x.n % z.n == 0 && x.h % z.h == 0 && x.w % z.w == 0;
}

/// Of `flops` for each element of y, and the memory traffic.
Cost product_cost(const Shapes& in, double flops) {
  const double elements = static_cast<double>(in[0].elements());
  return {flops * elements, sizeof(float) * (2 * elements + static_cast<double>(in[1].elements()))};
}

}  // namespace

std::span<const Variant<op::ComplexMultiply, SpectrumKernel<op::ComplexMultiply>>>
complex_multiply_ladder() {
  return kProductLadder;
}
std::span<const Variant<op::SpectralGain, SpectrumKernel<op::SpectralGain>>>
spectral_gain_ladder() {
  return kGainLadder;
}

namespace op {

Shape ComplexMultiply::shape(const Shapes& in) const {
  assert(in.size() == 2);
  const Shape &x = in[kX], &z = in[kZ];
  if (x.c % 2 != 0 || x.c != z.c || !repeats(x, z)) {
    throw ShapeError(
        fmt::format("complex_multiply: {} and {} do not fit: as many channels, in "
                    "pairs, and extents of the second that divide those of the first",
                    to_string(x), to_string(z)));
  }
  return x;
}

Cost ComplexMultiply::cost(const Shapes& in) const { return product_cost(in, 3); }

Footprint ComplexMultiply::footprint(const Shapes&) const { return {}; }

std::string ComplexMultiply::describe() const { return conjugate_b ? "conjugate" : ""; }

void ComplexMultiply::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(complex_multiply_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kZ].view<const float>(),
              y.view<float>());
}

Shape SpectralGain::shape(const Shapes& in) const {
  assert(in.size() == 2);
  const Shape &x = in[kX], &gain = in[kGain];
  if (x.c != 2 * gain.c || !repeats(x, gain)) {
    throw ShapeError(
        fmt::format("spectral_gain: {} and gain {} do not fit: half as many channels "
                    "in the gain, and extents of it that divide those of the first",
                    to_string(x), to_string(gain)));
  }
  return x;
}

Cost SpectralGain::cost(const Shapes& in) const { return product_cost(in, 1); }

Footprint SpectralGain::footprint(const Shapes&) const { return {}; }

void SpectralGain::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(spectral_gain_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kGain].view<const float>(),
              y.view<float>());
}

}  // namespace op
}  // namespace mend
