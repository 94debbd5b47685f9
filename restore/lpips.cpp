#include "restore/lpips.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/parallel.h"
#include "restore/scored_planes.h"

namespace mend {
namespace {

/// The picture inside its border, as RGB in [-1,1].
Tensor network_input(const Image& image, int border) {
  Planes planes(image, {ScoredColours::kRgb, border});
  const Tensor rgb = Tensor::empty({1, planes.height(), planes.width(), 3});
  const View<float> to = rgb.view<float>();
  Row row;
  for (int y = 0; y < planes.height(); ++y) {
    for (int c = 0; c < 3; ++c) {
      planes.read(planes.count() == 1 ? 0 : c, y, row);
      for (int x = 0; x < planes.width(); ++x) {
        to(0, y, x, c) = static_cast<float>(row[x] / 255 * 2 - 1);
      }
    }
  }
  return rgb;
}

double norm(const float* features, int count) {
  double sum = 0;
  for (int c = 0; c < count; ++c) sum += double{features[c]} * features[c];
  return std::sqrt(sum) + 1e-10;
}

/// The mean over the pixels of one stage's features. Rows are summed apart, then in their order, so
/// that the result does not depend on the number of threads.
double stage_distance(const Tensor& x, const Tensor& z, const Tensor& head) {
  const View<const float> a = x.view<const float>(), b = z.view<const float>();
  const float* weights = head.view<const float>().data;
  const Shape& s = x.shape();
  std::vector<double> rows(static_cast<std::size_t>(s.h));
  parallel_for(s.h, [&](std::int64_t row, int) {
    const int h = static_cast<int>(row);
    double sum = 0;
    for (int w = 0; w < s.w; ++w) {
      const float *f = a.pixel(0, h, w), *g = b.pixel(0, h, w);
      const double f_norm = norm(f, s.c), g_norm = norm(g, s.c);
      for (int c = 0; c < s.c; ++c) {
        const double difference = f[c] / f_norm - g[c] / g_norm;
        sum += weights[c] * difference * difference;
      }
    }
    rows[row] = sum;
  });
  double sum = 0;
  for (const double row : rows) sum += row;
  return sum / (static_cast<double>(s.h) * s.w);
}

}  // namespace

Score lpips(const Image& test, const Image& reference, const LpipsNetwork& network, int border) {
  require_same_size(test, reference, border, "LPIPS", network.smallest);
  Tensor x = LpipsNetwork::scaled(network_input(test, border));
  Tensor z = LpipsNetwork::scaled(network_input(reference, border));
  double distance = 0;
  // Both pictures stage by stage, so that no more than one stage of them is kept.
  for (std::size_t stage = 0; stage < network.stages.size(); ++stage) {
    x = network.stages[stage](x);
    z = network.stages[stage](z);
    distance += stage_distance(x, z, network.heads[stage]);
  }
  return {distance, describe_protocol(fmt::format("LPIPS (v0.1, {})", network.trunk),
                                      {ScoredColours::kRgb, border}, 3)};
}

}  // namespace mend
