// The windows of SSIM, which MS-SSIM slides over several scales.
#pragma once

#include <functional>
#include <vector>

#include "restore/scored_planes.h"

namespace mend {

/// Two planes of one size, read row by row; rows are asked for in ascending order.
struct RowPair {
  int height = 0, width = 0;
  std::function<void(int y, Row&row)> test, reference;
};

/// One plane of both pictures. The pair must outlive it.
RowPair rows_of(PlanePair& pair, int plane);

/// The outer product of `taps` with itself weights a window's pixels; the taps' sum is 1.
struct SimilarityWindow {
  std::vector<double> taps;
  double covariance_factor = 1;  ///< of variances and covariances: n / (n - 1) for a sample's
};

/// 11 taps of a Gaussian of deviation 1.5.
SimilarityWindow gaussian_window();

struct Similarity {
  double ssim = 0;                ///< the mean of eq. 13 of Wang et al. 2004
  double contrast_structure = 0;  ///< the mean of its second factor alone
};

/// Over all windows that lie wholly inside.
Similarity mean_similarity(const RowPair& rows, const SimilarityWindow& window);

}  // namespace mend
