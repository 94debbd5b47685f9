#include "restore/niqe_features.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "restore/scored_planes.h"

namespace mend {
namespace {

/// Rows of doubles.
struct Field {
  int height, width;
  std::vector<double> values;

  Field(int rows, int columns)
      : height(rows), width(columns), values(static_cast<std::size_t>(rows) * columns) {}

  double* row(int y) { return values.data() + static_cast<std::ptrdiff_t>(y) * width; }
  const double* row(int y) const { return values.data() + static_cast<std::ptrdiff_t>(y) * width; }
};

constexpr int kRadius = 3;
constexpr int kTaps = 2 * kRadius + 1;

std::array<double, kTaps> smoothing_taps() {
  constexpr double kDeviation = 7.0 / 6;
  std::array<double, kTaps> taps;
  double sum = 0;
  for (int k = 0; k < kTaps; ++k) {
    const double x = k - kRadius;
    sum += taps[k] = std::exp(-x * x / (2 * kDeviation * kDeviation));
  }
  for (double& tap : taps) tap /= sum;
  return taps;
}

/// Whole blocks of the rounded luma; empty if the picture has none.
Field luma_of(const Image& picture, int border) {
  Planes planes(picture, {ScoredColours::kY, border});
  Field luma(std::max(planes.height(), 0) / kNiqeBlock * kNiqeBlock,
             std::max(planes.width(), 0) / kNiqeBlock * kNiqeBlock);
  // Halves go up. Lumas are multiples of 1/255000, so that less than that makes sure of the halves
  // that came out below in double.
  constexpr double kHalf = 0.5 + 1e-9;
  Row row;
  for (int y = 0; luma.width > 0 && y < luma.height; ++y) {
    planes.read(0, y, row);
    for (int x = 0; x < luma.width; ++x) luma.row(y)[x] = std::floor(row[x] + kHalf);
  }
  return luma;
}

/// MATLAB's imresize(x, 0.5, 'bicubic') (restore/imresize.h) in double, for even sides: f32 there
/// would move the score of a picture of few blocks in its third digit.
Field halved(const Field& x) {
  // 0.5 k(0.5 d) at the distances d = 0.5, 1.5, 2.5, 3.5 on either side; their sum is 1.
  constexpr std::array<double, 8> kBicubic = {-0.01171875, -0.03515625, 0.11328125,  0.43359375,
                                              0.43359375,  0.11328125,  -0.03515625, -0.01171875};
  const auto mirrored = [](int i, int size) {
    return i < 0 ? -1 - i : i < size ? i : 2 * size - 1 - i;
  };
  Field rows(x.height / 2, x.width), half(x.height / 2, x.width / 2);
  for (int h = 0; h < rows.height; ++h) {
    for (int k = 0; k < 8; ++k) {
      const double* from = x.row(mirrored(2 * h + k - 3, x.height));
      for (int w = 0; w < x.width; ++w) rows.row(h)[w] += kBicubic[k] * from[w];
    }
  }
  for (int h = 0; h < half.height; ++h) {
    for (int w = 0; w < half.width; ++w) {
      for (int k = 0; k < 8; ++k) {
        half.row(h)[w] += kBicubic[k] * rows.row(h)[mirrored(2 * w + k - 3, x.width)];
      }
    }
  }
  return half;
}

struct Normalised {
  Field coefficients, deviations;
};

/// Rows [top, top + rows) of the mean subtracted, contrast normalised coefficients, and of σ.
Normalised normalise(const Field& luma, int top, int rows) {
  static const std::array<double, kTaps> taps = smoothing_taps();
  const int height = luma.height, width = luma.width;
  Normalised out{Field(rows, width), Field(rows, width)};
  std::vector<double> sums(width), squares(width);  // over the window's column
  for (int h = 0; h < rows; ++h) {
    std::ranges::fill(sums, 0.0);
    std::ranges::fill(squares, 0.0);
    for (int k = 0; k < kTaps; ++k) {
      const double* row = luma.row(std::clamp(top + h + k - kRadius, 0, height - 1));
      for (int w = 0; w < width; ++w) {
        const double value = row[w];
        sums[w] += taps[k] * value;
        squares[w] += taps[k] * value * value;
      }
    }
    for (int w = 0; w < width; ++w) {
      double mean = 0, square = 0;
      for (int k = 0; k < kTaps; ++k) {
        const int at = std::clamp(w + k - kRadius, 0, width - 1);
        mean += taps[k] * sums[at];
        square += taps[k] * squares[at];
      }
      const double deviation = std::sqrt(std::abs(square - mean * mean));
      out.deviations.row(h)[w] = deviation;
      const double x = (luma.row(top + h)[w] - mean) / (deviation + 1);
      // Where a window has one colour, x is 0 but for rounding, whose sign must not count in the fit.
      constexpr double kRounding = 1e-9;
      out.coefficients.row(h)[w] = std::abs(x) < kRounding ? 0 : x;
    }
  }
  return out;
}

/// ρ(α) = Γ(2/α)² / (Γ(1/α) Γ(3/α)) of shapes α; ascending.
struct ShapeTable {
  static constexpr int kCount = 9801;
  std::array<double, kCount> ratio;

  static double shape(std::ptrdiff_t i) { return 0.2 + 0.001 * static_cast<double>(i); }

  ShapeTable() {
    for (int i = 0; i < kCount; ++i) {
      const double inverse = 1 / shape(i);
      ratio[i] = std::tgamma(2 * inverse) * std::tgamma(2 * inverse) /
                 (std::tgamma(inverse) * std::tgamma(3 * inverse));
    }
  }

  /// The shape whose ratio is nearest; the first one for NaN.
  double nearest(double wanted) const {
    if (std::isnan(wanted)) return shape(0);
    const auto above = std::lower_bound(ratio.begin(), ratio.end(), wanted);
    std::ptrdiff_t i = std::min<std::ptrdiff_t>(above - ratio.begin(), kCount - 1);
    if (i > 0 && wanted - ratio[i - 1] <= ratio[i] - wanted) --i;
    return shape(i);
  }
};

/// Asymmetric generalised Gaussian: shape α, left and right scale.
struct Distribution {
  double shape, left, right;

  /// (right - left) Γ(2/α) / Γ(1/α), eq. 8
  double mean() const { return (right - left) * (std::tgamma(2 / shape) / std::tgamma(1 / shape)); }
};

/// By the moments of `values`: ρ(α) of the symmetric case, corrected for the ratio of both sides.
Distribution fit(std::span<const double> values) {
  static const ShapeTable table;
  double below = 0, above = 0, absolute = 0;
  std::int64_t count_below = 0, count_above = 0;
  for (const double value : values) {
    absolute += std::abs(value);
    if (value < 0) {
      below += value * value;
      ++count_below;
    } else if (value > 0) {
      above += value * value;
      ++count_above;
    }
  }
  const double count = static_cast<double>(values.size());
  const double left = std::sqrt(below / static_cast<double>(count_below));  // NaN if there are none
  const double right = std::sqrt(above / static_cast<double>(count_above));
  const double mean_absolute = absolute / count;
  const double r = mean_absolute * mean_absolute / ((below + above) / count);
  const double g = left / right;
  const double symmetric = g * g + 1;
  const double shape = table.nearest(r * (g * g * g + 1) * (g + 1) / (symmetric * symmetric));
  const double scale = std::sqrt(std::tgamma(1 / shape) / std::tgamma(3 / shape));
  return {shape, left * scale, right * scale};
}

/// The 18 numbers of the block with its left column at `left`; all rows of `x`.
void describe_block(const Field& x, int left, double* features) {
  const int side = x.height;
  std::vector<double> block;
  for (int h = 0; h < side; ++h) block.insert(block.end(), x.row(h) + left, x.row(h) + left + side);
  const Distribution own = fit(block);
  *features++ = own.shape;
  *features++ = (own.left + own.right) / 2;
  struct Shift {
    int down, right;
  };
  std::vector<double> products(block.size());
  for (const auto [down, right] : {Shift{0, 1}, Shift{1, 0}, Shift{1, 1}, Shift{1, -1}}) {
    for (int h = 0; h < side; ++h) {
      const double* other =
          block.data() + static_cast<std::ptrdiff_t>((h - down + side) % side) * side;
      for (int w = 0; w < side; ++w) {
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(h) * side + w;
        products[at] = block[at] * other[(w - right + side) % side];
      }
    }
    const Distribution pair = fit(products);
    *features++ = pair.shape;
    *features++ = pair.mean();
    *features++ = pair.left;
    *features++ = pair.right;
  }
}

double mean_of_block(const Field& x, int left) {
  double sum = 0;
  for (int h = 0; h < x.height; ++h)
    for (int w = 0; w < x.height; ++w) sum += x.row(h)[left + w];
  return sum / (static_cast<double>(x.height) * x.height);
}

}  // namespace

std::vector<NiqeBlock> niqe_blocks(const Image& picture, int border) {
  Field luma = luma_of(picture, border);
  const int across = luma.width / kNiqeBlock, down = luma.height / kNiqeBlock;
  std::vector<NiqeBlock> blocks(static_cast<std::size_t>(across) * down);
  for (int scale = 0; scale < 2; ++scale) {
    const int side = kNiqeBlock >> scale;
    for (int i = 0; i < down; ++i) {
      const Normalised rows = normalise(luma, i * side, side);
      for (int j = 0; j < across; ++j) {
        NiqeBlock& block = blocks[static_cast<std::size_t>(j) * down + i];
        describe_block(rows.coefficients, j * side,
                       block.features.data() + scale * kNiqeFeatures / 2);
        if (scale == 0) block.sharpness = mean_of_block(rows.deviations, j * side);
      }
    }
    if (scale == 0) luma = halved(luma);
  }
  return blocks;
}

}  // namespace mend
