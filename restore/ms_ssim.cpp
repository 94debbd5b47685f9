#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include "restore/similarity.h"

namespace mend {
namespace {

constexpr std::array<double, 5> kWeights = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
/// The least side whose four halvings, rounded up, leave the 11 pixels of a window.
constexpr int kLeastSide = 161;

/// A plane in means of 2 x 2 pixels; an odd last row or column is its own neighbour.
class HalvedPlane {
 public:
  HalvedPlane(const std::function<void(int, Row&)>& read, int height, int width)
      : width_((width + 1) / 2) {
    const int rows = (height + 1) / 2;
    values_.reserve(static_cast<std::size_t>(rows) * width_);
    Row upper, lower;
    for (int h = 0; h < rows; ++h) {
      read(2 * h, upper);
      read(std::min(2 * h + 1, height - 1), lower);
      for (int w = 0; w < width_; ++w) {
        const int left = 2 * w, right = std::min(2 * w + 1, width - 1);
        values_.push_back((upper[left] + upper[right] + lower[left] + lower[right]) / 4);
      }
    }
  }

  void read(int y, Row& row) const {
    const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(y) * width_;
    row.assign(begin, begin + width_);
  }

 private:
  int width_;
  std::vector<double> values_;
};

RowPair halved(const RowPair& pair) {
  const auto half = [&](const auto& read) {
    return [plane = std::make_shared<const HalvedPlane>(read, pair.height, pair.width)](
               int y, Row& row) { plane->read(y, row); };
  };
  return {(pair.height + 1) / 2, (pair.width + 1) / 2, half(pair.test), half(pair.reference)};
}

double multi_scale_similarity(RowPair rows) {
  const SimilarityWindow window = gaussian_window();
  double product = 1;
  for (std::size_t scale = 0; scale < kWeights.size(); ++scale) {
    if (scale > 0) rows = halved(rows);
    const Similarity mean = mean_similarity(rows, window);
    const bool last = scale + 1 == kWeights.size();
    product *= std::pow(std::max(last ? mean.ssim : mean.contrast_structure, 0.0), kWeights[scale]);
  }
  return product;
}

}  // namespace

Score ms_ssim(const Image& test, const Image& reference, const Protocol& protocol) {
  PlanePair pair = scored_planes(test, reference, protocol, "MS-SSIM", kLeastSide);
  double sum = 0;
  for (int plane = 0; plane < pair.planes(); ++plane) {
    sum += multi_scale_similarity(rows_of(pair, plane));
  }
  return {sum / pair.planes(),
          describe_protocol("MS-SSIM (Wang 2003: 5 scales, Gaussian 11 x 11, inside)", protocol,
                            pair.planes())};
}

}  // namespace mend
