// A few pixels and their weights: where sampling between pixels reads.
#pragma once

namespace mend {

struct WeightedPixels {
  const float* pixel[16];  // as many as a bicubic kernel covers
  float weight[16];
  int count = 0;

  /// A pixel without weight is left out: it may be NaN or outside.
  void add(const float* address, double its_weight) {
    if (its_weight == 0) return;
    pixel[count] = address;
    weight[count++] = static_cast<float>(its_weight);
  }
};

}  // namespace mend
