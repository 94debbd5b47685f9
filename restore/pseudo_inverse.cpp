#include "restore/pseudo_inverse.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace mend {
namespace {

/// Rows, or with their transpose columns, p and q of a square matrix turn by an angle.
struct Rotation {
  int p, q;
  double cosine, sine;

  void turn_rows(std::vector<double>& a, int size) const {
    for (int k = 0; k < size; ++k) turn(a[p * size + k], a[q * size + k]);
  }
  void turn_columns(std::vector<double>& a, int size) const {
    for (int k = 0; k < size; ++k) turn(a[k * size + p], a[k * size + q]);
  }
  void turn(double& x, double& y) const {
    const double was = x;
    x = cosine * was - sine * y;
    y = sine * was + cosine * y;
  }
};

/// The rotation that makes a(p,q) zero (Golub, Van Loan, Matrix Computations, 8.5.2).
Rotation rotation_of(const std::vector<double>& a, int size, int p, int q) {
  const double tau = (a[q * size + q] - a[p * size + p]) / (2 * a[p * size + q]);
  const double tangent = (tau >= 0 ? 1 : -1) / (std::abs(tau) + std::sqrt(1 + tau * tau));
  const double cosine = 1 / std::sqrt(1 + tangent * tangent);
  return {p, q, cosine, tangent * cosine};
}

}  // namespace

std::vector<double> pseudo_inverse(std::vector<double> a, int size) {
  std::vector<double> vectors(a.size());  // eigenvectors in rows
  for (int i = 0; i < size; ++i) vectors[i * size + i] = 1;
  // The sum of squares beside the diagonal shrinks quadratically: 36 rows take about 8 sweeps.
  constexpr int kMostSweeps = 60;
  constexpr double kNegligible = 1e-17;
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    bool turned = false;
    for (int p = 0; p < size; ++p) {
      for (int q = p + 1; q < size; ++q) {
        const double scale = std::sqrt(std::abs(a[p * size + p] * a[q * size + q]));
        if (std::abs(a[p * size + q]) <= kNegligible * scale) continue;
        const Rotation rotation = rotation_of(a, size, p, q);
        rotation.turn_rows(a, size);
        rotation.turn_columns(a, size);
        a[p * size + q] = a[q * size + p] = 0;  // but for rounding they are
        rotation.turn_rows(vectors, size);
        turned = true;
      }
    }
    if (!turned) break;
  }
  double largest = 0;
  for (int i = 0; i < size; ++i) largest = std::max(largest, std::abs(a[i * size + i]));
  std::vector<double> inverse(a.size());
  for (int k = 0; k < size; ++k) {
    const double eigenvalue = a[k * size + k];
    if (std::abs(eigenvalue) <= 1e-15 * largest) continue;
    const double* vector = vectors.data() + static_cast<std::ptrdiff_t>(k) * size;
    for (int i = 0; i < size; ++i)
      for (int j = 0; j < size; ++j) inverse[i * size + j] += vector[i] * vector[j] / eigenvalue;
  }
  return inverse;
}

}  // namespace mend
