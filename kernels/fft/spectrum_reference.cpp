// The truth: the formulas of spectrum.h, number by number, in double.
#include <complex>

#include "kernels/fft/spectrum_rungs.h"

namespace mend {

void complex_multiply_reference(const op::ComplexMultiply& op, View<const float> x,
                                View<const float> z, View<float> y) {
  const Shape& again = z.shape;
  for (int n = 0; n < y.shape.n; ++n)
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w)
        for (int c = 0; c < y.shape.c; c += 2) {
          const float* of_z = &z(n % again.n, h % again.h, w % again.w, c);
          const std::complex<double> a(x(n, h, w, c), x(n, h, w, c + 1)), b(of_z[0], of_z[1]);
          const std::complex<double> product = a * (op.conjugate_b ? std::conj(b) : b);
          y(n, h, w, c) = static_cast<float>(product.real());
          y(n, h, w, c + 1) = static_cast<float>(product.imag());
        }
}

void spectral_gain_reference(const op::SpectralGain&, View<const float> x, View<const float> gain,
                             View<float> y) {
  const Shape& again = gain.shape;
  for (int n = 0; n < y.shape.n; ++n)
    for (int h = 0; h < y.shape.h; ++h)
      for (int w = 0; w < y.shape.w; ++w)
        for (int c = 0; c < y.shape.c; ++c) {
          y(n, h, w, c) = x(n, h, w, c) * gain(n % again.n, h % again.h, w % again.w, c / 2);
        }
}

}  // namespace mend
