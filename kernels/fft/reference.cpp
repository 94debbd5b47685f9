// The truth: the sums of fft.h, one channel after the other, in double.
#include <cmath>
#include <complex>
#include <cstddef>
#include <numbers>
#include <vector>

#include "kernels/fft/rungs.h"

namespace mend {
namespace {

using Complex = std::complex<double>;

/// exp(−2πi·k/length) for k = 0 ... length − 1.
std::vector<Complex> roots_of_unity(int length) {
  std::vector<Complex> roots;
  for (int k = 0; k < length; ++k) {
    roots.push_back(std::polar(1.0, -2 * std::numbers::pi * k / length));
  }
  return roots;
}

/// The root number k·h.
const Complex& root(const std::vector<Complex>& roots, int k, int h) {
  return roots[static_cast<std::size_t>(std::int64_t{k} * h % static_cast<int>(roots.size()))];
}

/// One plane of numbers that lies apart from the images.
struct Plane {
  Plane(int h, int w) : width(w), values(static_cast<std::size_t>(std::int64_t{h} * w)) {}
  Complex& operator()(int h, int w) {
    return values[static_cast<std::size_t>(std::int64_t{h} * width + w)];
  }
  int width;
  std::vector<Complex> values;
};

/// Channel c of the window at (n, h0, w0) of x to the window at (n, h0, l0) of y.
void transform_window(View<const float> x, View<float> y, int n, int h0, int w0, int l0, int c,
                      const std::vector<Complex>& row_roots,
                      const std::vector<Complex>& column_roots, double scale) {
  const int H = static_cast<int>(column_roots.size()), W = static_cast<int>(row_roots.size());
  Plane rows(H, W / 2 + 1);
  for (int h = 0; h < H; ++h)
    for (int l = 0; l <= W / 2; ++l) {
      Complex sum = 0;
      for (int w = 0; w < W; ++w) sum += double{x(n, h0 + h, w0 + w, c)} * root(row_roots, l, w);
      rows(h, l) = sum;
    }
  for (int k = 0; k < H; ++k)
    for (int l = 0; l <= W / 2; ++l) {
      Complex sum = 0;
      for (int h = 0; h < H; ++h) sum += rows(h, l) * root(column_roots, k, h);
      y(n, h0 + k, l0 + l, 2 * c) = static_cast<float>(scale * sum.real());
      y(n, h0 + k, l0 + l, 2 * c + 1) = static_cast<float>(scale * sum.imag());
    }
}

/// Channel c of the window at (n, h0, l0) of the spectrum x to the window at (n, h0, w0) of y.
void invert_window(View<const float> x, View<float> y, int n, int h0, int w0, int l0, int c,
                   const std::vector<Complex>& row_roots, const std::vector<Complex>& column_roots,
                   double scale) {
  const int H = static_cast<int>(column_roots.size()), W = static_cast<int>(row_roots.size());
  Plane z(H, W / 2 + 1);
  for (int h = 0; h < H; ++h)
    for (int l = 0; l <= W / 2; ++l) {
      Complex sum = 0;
      for (int k = 0; k < H; ++k) {
        const Complex X(x(n, h0 + k, l0 + l, 2 * c), x(n, h0 + k, l0 + l, 2 * c + 1));
        sum += X * std::conj(root(column_roots, k, h));
      }
      z(h, l) = sum;
    }
  for (int h = 0; h < H; ++h)
    for (int w = 0; w < W; ++w) {
      double sum = 0;
      for (int l = 0; l <= W / 2; ++l) {
        const bool alone = l == 0 || 2 * l == W;  // its own conjugate: only the real part counts
        sum += alone ? z(h, l).real() * root(row_roots, l, w).real()
                     : 2 * (z(h, l) * std::conj(root(row_roots, l, w))).real();
      }
      y(n, h0 + h, w0 + w, c) = static_cast<float>(scale * sum);
    }
}

}  // namespace

void real_fft2_reference(const op::RealFft2& op, View<const float> x, View<float> y, Scratch) {
  const int height = op.patch > 0 ? op.patch : x.shape.h;
  const int width = op.patch > 0 ? op.patch : x.shape.w;
  const auto row_roots = roots_of_unity(width), column_roots = roots_of_unity(height);
  const double scale = fft_scale(op.norm, false, height, width);
  for (int n = 0; n < x.shape.n; ++n)
    for (int i = 0; i < x.shape.h / height; ++i)
      for (int j = 0; j < x.shape.w / width; ++j)
        for (int c = 0; c < x.shape.c; ++c) {
          transform_window(x, y, n, i * height, j * width, j * (width / 2 + 1), c, row_roots,
                           column_roots, scale);
        }
}

void inverse_real_fft2_reference(const op::InverseRealFft2& op, View<const float> x, View<float> y,
                                 Scratch) {
  const int height = op.patch > 0 ? op.patch : y.shape.h;
  const int width = op.patch > 0 ? op.patch : y.shape.w;
  const auto row_roots = roots_of_unity(width), column_roots = roots_of_unity(height);
  const double scale = fft_scale(op.norm, true, height, width);
  for (int n = 0; n < y.shape.n; ++n)
    for (int i = 0; i < y.shape.h / height; ++i)
      for (int j = 0; j < y.shape.w / width; ++j)
        for (int c = 0; c < y.shape.c; ++c) {
          invert_window(x, y, n, i * height, j * width, j * (width / 2 + 1), c, row_roots,
                        column_roots, scale);
        }
}

}  // namespace mend
