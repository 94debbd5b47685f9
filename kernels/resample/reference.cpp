// The truth: each output pixel sums its taps in both directions, in double.
#include <vector>

#include "kernels/resample/taps.h"
#include "kernels/resample/variants.h"

namespace mend {
namespace {

struct WeightedTaps {
  Taps taps;
  std::vector<double> weights;
};

std::vector<WeightedTaps> all_taps(const Axis& axis) {
  std::vector<WeightedTaps> all;
  for (int p = 0; p < axis.output; ++p) {
    WeightedTaps row{{}, std::vector<double>(static_cast<std::size_t>(most_taps(axis)))};
    row.taps = taps_of(axis, p, row.weights.data());
    all.push_back(std::move(row));
  }
  return all;
}

}  // namespace

void resample_reference(const op::Resample& resample, View<const float> x, View<float> y, Scratch) {
  const std::vector<WeightedTaps> rows = all_taps(rows_of(resample, x.shape));
  const std::vector<WeightedTaps> columns = all_taps(columns_of(resample, x.shape));
  for (int n = 0; n < y.shape.n; ++n)
    for (int p = 0; p < y.shape.h; ++p)
      for (int q = 0; q < y.shape.w; ++q)
        for (int c = 0; c < y.shape.c; ++c) {
          double sum = 0;
          for (int r = 0; r < rows[p].taps.count; ++r)
            for (int s = 0; s < columns[q].taps.count; ++s) {
              const int h = static_cast<int>(rows[p].taps.first) + r;
              const int w = static_cast<int>(columns[q].taps.first) + s;
              sum += rows[p].weights[r] * columns[q].weights[s] * x(n, h, w, c);
            }
          y(n, p, q, c) = static_cast<float>(sum);
        }
}

}  // namespace mend
