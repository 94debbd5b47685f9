// The mean and the size of a pixel, in device code.
#pragma once

#include "kernels/normalization/cuda_line.cuh"
#include "kernels/normalization/kind.h"

namespace mend {

struct Measured {
  float mean, rest;  ///< the mean is their sum: f32 alone would lose what a large mean leaves of x
  float factor;      ///< 1 / divisor
  bool centred;      ///< whether the mean is taken away from what is divided
  bool too_short;    ///< the divisor is eps in place of a length

  __device__ float distance(float x) const { return ((x - mean) - rest) * factor; }
  __device__ float normal(float x) const { return centred ? distance(x) : x * factor; }
};

/// From the mean as f32 has it, and the means of x's distances from it and of their squares. Of a deviation, or where
/// the mean is 0 of a root mean square.
__device__ inline Measured measured_deviation(PixelMeasure measure, float eps, float mean,
                                              float rest, float mean_square) {
  const float variance = fmaxf(mean_square - rest * rest, 0);
  return {mean, rest, 1 / sqrtf(variance + eps), measure == PixelMeasure::kDeviation, false};
}

/// In two passes over the numbers of the pixel, the second about the mean of the first.
template <class Line, class Lane>
__device__ Measured measured(PixelMeasure measure, float eps, const Line& line, const Lane& lane) {
  const bool deviation =
      measure == PixelMeasure::kDeviation || measure == PixelMeasure::kDeviationOnly;
  const float part = 1.0f / static_cast<float>(lane.channels);
  float mean = 0, distances = 0, squares = 0;
  if (deviation) {
    lane.each([&](int i, int unit) {
      const auto values = line.at(i, unit);
#pragma unroll
      for (int e = 0; e < Lane::kNumbers; ++e) mean += values.of[e];
    });
    mean = lane.sum(mean) * part;
  }
  lane.each([&](int i, int unit) {
    const auto values = line.at(i, unit);
#pragma unroll
    for (int e = 0; e < Lane::kNumbers; ++e) {
      const float distance = values.of[e] - mean;
      distances += distance;
      squares = fmaf(distance, distance, squares);
    }
  });
  squares = lane.sum(squares);
  if (measure == PixelMeasure::kLength) {
    const float length = sqrtf(squares);
    return {0, 0, 1 / fmaxf(length, eps), false, length < eps};
  }
  const float rest = deviation ? lane.sum(distances) * part : 0;
  return measured_deviation(measure, eps, mean, rest, squares * part);
}

}  // namespace mend
