#include "restore/metrics.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/error.h"
#include "restore/scored_planes.h"

namespace mend {
namespace {

double mean_squared_error(PlanePair& pair) {
  double sum = 0;
  Row x, y;
  for (int plane = 0; plane < pair.planes(); ++plane) {
    for (int h = 0; h < pair.height(); ++h) {
      pair.test.read(plane, h, x);
      pair.reference.read(plane, h, y);
      for (std::size_t w = 0; w < x.size(); ++w) sum += (x[w] - y[w]) * (x[w] - y[w]);
    }
  }
  return sum / (static_cast<double>(pair.height()) * pair.width() * pair.planes());
}

double decibels(double mse) { return 10 * std::log10(255.0 * 255.0 / mse); }

/// A mean that is 0 when there was nothing to average.
struct Mean {
  double sum = 0;
  std::int64_t count = 0;

  void add(double value) {
    sum += value;
    ++count;
  }
  double value() const { return count == 0 ? 0 : sum / static_cast<double>(count); }
};

/// Yim & Bovik 2011: by how much neighbours differ more across block boundaries than elsewhere.
double blocking_effect(Planes& planes) {
  constexpr int kBlock = 8;
  const auto is_boundary = [](int position) { return position % kBlock == 0; };
  Mean across_boundaries, elsewhere;
  Row above, row;
  for (int h = 0; h < planes.height(); ++h, std::swap(above, row)) {
    planes.read(0, h, row);
    for (int w = 0; w < planes.width(); ++w) {
      if (w > 0) {
        const double step = row[w] - row[w - 1];
        (is_boundary(w) ? across_boundaries : elsewhere).add(step * step);
      }
      if (h > 0) {
        const double step = row[w] - above[w];
        (is_boundary(h) ? across_boundaries : elsewhere).add(step * step);
      }
    }
  }
  const double excess = across_boundaries.value() - elsewhere.value();
  if (excess <= 0) return 0;
  return std::log2(kBlock) / std::log2(std::min(planes.height(), planes.width())) * excess;
}

}  // namespace

Score psnr(const Image& test, const Image& reference, const Protocol& protocol) {
  PlanePair pair = scored_planes(test, reference, protocol, "PSNR", 1);
  return {decibels(mean_squared_error(pair)),
          describe_protocol("PSNR", protocol, pair.planes(), ", dB")};
}

Score psnr_b(const Image& test, const Image& reference, const Protocol& protocol) {
  PlanePair pair = scored_planes(test, reference, protocol, "PSNR-B", 2);
  if (pair.planes() != 1) {
    throw UsageError("PSNR-B: it is defined for one channel; compare on Y");
  }
  const double mse = mean_squared_error(pair) + blocking_effect(pair.test);
  return {decibels(mse), describe_protocol("PSNR-B", protocol, pair.planes(), ", dB")};
}

}  // namespace mend
