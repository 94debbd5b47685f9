// The pseudo-inverse of a covariance.
#pragma once

#include <vector>

namespace mend {

/// Of a symmetric matrix, `size` x `size` in rows: V diag(1/λ) Vᵀ over the eigenvalues λ with
/// |λ| > 1e-15 max |λ|, as numpy.linalg.pinv. By Jacobi's rotations in double: for tens of rows.
std::vector<double> pseudo_inverse(std::vector<double> symmetric, int size);

}  // namespace mend
