// Losses that need no target: total variation, and the four that Zero-DCE learns from.
#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "train/loss_sums.h"
#include "train/losses.h"

namespace mend {
namespace {

void check_defined(std::string_view loss, const Tensor& x) {
  if (!x) throw ShapeError(fmt::format("{}: there is no picture", loss));
}

/// Σ share_down · term(x[h+1] − x[h]) + Σ share_across · term(x[w+1] − x[w]) over all neighbours.
template <class TermOf>
Loss of_neighbours(const Tensor& x, double share_down, double share_across, const TermOf& term) {
  const auto [N, H, W, C] = x.shape();
  const Tensor gradient = Tensor::empty(x.shape());
  const View<const float> a = x.view<const float>();
  const View<float> g = gradient.view<float>();
  const auto difference = [&](int n, int h, int w, int c, int down, int across) {
    return double{a(n, h + down, w + across, c)} - a(n, h, w, c);
  };
  // Each number is the first of the pairs below it and to its right, and the second of two others.
  const std::vector<double> rows = each_row(x.shape(), [&, H = H, W = W, C = C](int n, int h) {
    double row = 0;
    for (int w = 0; w < W; ++w)
      for (int c = 0; c < C; ++c) {
        double slope = 0;
        if (h + 1 < H) {
          const Term below = term(difference(n, h, w, c, 1, 0));
          row += share_down * below.value;
          slope -= share_down * below.slope;
        }
        if (w + 1 < W) {
          const Term right = term(difference(n, h, w, c, 0, 1));
          row += share_across * right.value;
          slope -= share_across * right.slope;
        }
        if (h > 0) slope += share_down * term(difference(n, h - 1, w, c, 1, 0)).slope;
        if (w > 0) slope += share_across * term(difference(n, h, w - 1, c, 0, 1)).slope;
        g(n, h, w, c) = static_cast<float>(slope);
      }
    return row;
  });
  return {sum(rows), gradient};
}

/// 1 / count, or 0 where there is nothing to average.
double share_of(double count) { return count > 0 ? 1 / count : 0; }

/// Means over squares of `side` pixels and over all channels; what is left at the right and at the
/// bottom belongs to none.
class Regions {
 public:
  Regions(std::string_view loss, const Tensor& x, int side)
      : side_(side), n_(x.shape().n), pixels_(x.shape()) {
    check_defined(loss, x);
    check_regions(loss, pixels_, side);
    rows_ = pixels_.h / side;
    columns_ = pixels_.w / side;
  }
  int rows() const { return rows_; }
  int columns() const { return columns_; }
  Shape shape() const { return {n_, rows_, columns_, 1}; }
  double count() const { return static_cast<double>(n_) * rows_ * columns_; }
  std::size_t index(int n, int p, int q) const {
    return (static_cast<std::size_t>(n) * rows_ + p) * columns_ + q;
  }

  std::vector<double> means(const Tensor& x) const {
    const View<const float> a = x.view<const float>();
    const double share = 1.0 / side_ / side_ / pixels_.c;
    std::vector<double> means(static_cast<std::size_t>(count()));
    each_row(shape(), [&](int n, int p) {
      for (int q = 0; q < columns_; ++q) {
        double total = 0;
        for (int h = p * side_; h < (p + 1) * side_; ++h)
          for (int w = q * side_; w < (q + 1) * side_; ++w)
            for (int c = 0; c < pixels_.c; ++c) total += a(n, h, w, c);
        means[index(n, p, q)] = total * share;
      }
      return 0.0;
    });
    return means;
  }

  /// dL/dx of dL/d(mean).
  Tensor spread(const std::vector<double>& slopes) const {
    const Tensor gradient = Tensor::zeros(pixels_);
    const View<float> g = gradient.view<float>();
    const double share = 1.0 / side_ / side_ / pixels_.c;
    for (int n = 0; n < n_; ++n)
      for (int h = 0; h < rows_ * side_; ++h)
        for (int w = 0; w < columns_ * side_; ++w)
          std::fill_n(g.pixel(n, h, w), pixels_.c,
                      static_cast<float>(share * slopes[index(n, h / side_, w / side_)]));
    return gradient;
  }

 private:
  int side_, n_, rows_ = 0, columns_ = 0;
  Shape pixels_;
};

}  // namespace

Loss total_variation_loss(const Tensor& x) {
  check_defined("total_variation_loss", x);
  const auto [N, H, W, C] = x.shape();
  const double lines = static_cast<double>(N) * C;
  return of_neighbours(x, share_of(lines * (H - 1) * W), share_of(lines * H * (W - 1)),
                       [](double d) {
                         return Term{std::abs(d), sign(d)};
                       });
}

Loss illumination_smoothness_loss(const Tensor& maps) {
  check_defined("illumination_smoothness_loss", maps);
  const auto [N, H, W, C] = maps.shape();
  const double images = N;
  return of_neighbours(maps, 2 * share_of(images * (H - 1) * W), 2 * share_of(images * H * (W - 1)),
                       [](double d) {
                         return Term{d * d, 2 * d};
                       });
}

// With d[i] = Y[i] − I[i] the loss is the mean of Σ_j (d[i] − d[j])², and d = 0 outside. Each pair
// inside is met from both of its regions.
Loss spatial_consistency_loss(const Tensor& x, const Tensor& input, int region) {
  check_shapes("spatial_consistency_loss", x, input, "input");
  const Regions regions("spatial_consistency_loss", x, region);
  std::vector<double> change = regions.means(x);
  const std::vector<double> before = regions.means(input);
  for (std::size_t i = 0; i < change.size(); ++i) change[i] -= before[i];
  std::vector<double> slopes(change.size());
  constexpr int kNeighbours[4][2] = {{0, -1}, {0, 1}, {-1, 0}, {1, 0}};
  const std::vector<double> rows = each_row(regions.shape(), [&](int n, int p) {
    double row = 0;
    for (int q = 0; q < regions.columns(); ++q)
      for (const auto& [down, across] : kNeighbours) {
        const int r = p + down, s = q + across;
        const bool inside = r >= 0 && r < regions.rows() && s >= 0 && s < regions.columns();
        const std::size_t i = regions.index(n, p, q);
        const double d = change[i] - (inside ? change[regions.index(n, r, s)] : 0);
        row += d * d;
        slopes[i] += (inside ? 4 : 2) * d / regions.count();
      }
    return row;
  });
  return {sum(rows) / regions.count(), regions.spread(slopes)};
}

Loss exposure_loss(const Tensor& x, double level, int region) {
  const Regions regions("exposure_loss", x, region);
  std::vector<double> squares = regions.means(x), slopes = squares;
  for (std::size_t i = 0; i < squares.size(); ++i) {
    const double d = squares[i] - level;
    squares[i] = d * d;
    slopes[i] = 2 * d / regions.count();
  }
  return {sum(squares) / regions.count(), regions.spread(slopes)};
}

Loss colour_constancy_loss(const Tensor& x) {
  const auto [N, H, W, C] = x.shape();
  check_rgb("colour_constancy_loss", x.shape());
  const View<const float> a = x.view<const float>();
  const Tensor gradient = Tensor::empty(x.shape());
  const View<float> g = gradient.view<float>();
  const double pixels = static_cast<double>(H) * W;
  const std::vector<double> losses = each_row({N, 1, 1, 1}, [&, H = H, W = W](int n, int) {
    double mean[3] = {};
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w)
        for (int c = 0; c < 3; ++c) mean[c] += a(n, h, w, c) / pixels;
    double fourths = 0, cubes[3] = {};  // cubes[c] = Σ (mean[c] − mean[other])³
    for (int c = 0; c < 3; ++c)
      for (const int other : {(c + 1) % 3, (c + 2) % 3}) {
        const double d = mean[c] - mean[other];
        cubes[c] += d * d * d;
        fourths += d * d * d * d / 2;  // each pair is met twice
      }
    const double length = std::sqrt(fourths);
    float slope[3];
    for (int c = 0; c < 3; ++c) {
      const double of_mean = length == 0 ? 0 : 2 * cubes[c] / length;
      slope[c] = static_cast<float>(of_mean / pixels / g.shape.n);
    }
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w) std::copy_n(slope, 3, g.pixel(n, h, w));
    return length;
  });
  return {sum(losses) / N, gradient};
}

}  // namespace mend
