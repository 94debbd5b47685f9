// What an output of a grid sampling reads along one side of the image, as cpu_taps.cpp has it.
//
// In double: a float position in the middle of a 4000 pixel side is 1e-4 of a pixel off.
#pragma once

#include "kernels/grid_sample/cuda.h"

namespace mend::grid_sample {

__device__ inline double pixel_position(double normalised, const SampledSide& side,
                                        bool align_corners) {
  const int extent = side.extent;
  if (align_corners) return (normalised + 1) / 2 * (extent - 1);
  return ((normalised + 1) * extent - 1) / 2;
}

__device__ inline double clamped(double position, double last) {
  return fmin(fmax(position, 0.0), last);
}

/// `position` mirrored at `low` and `high` until it lies between them, or next to them by a rounding.
__device__ inline double reflected(double position, double low, double high, double per_span) {
  if (high <= low) return low;
  const double beyond = fabs(position - low), times = floor(beyond * per_span);
  const double rest = beyond - times * (high - low);
  const bool flipped = times - 2 * floor(times / 2) != 0;
  return flipped ? high - rest : low + rest;
}

/// The position that `position` outside the image stands for.
__device__ inline double padded_position(double position, const SampledSide& side,
                                         const CudaGridSample& op) {
  const double last = side.extent - 1;
  if (op.padding == SamplePadding::kZeros) return position;
  if (op.padding == SamplePadding::kBorder) return clamped(position, last);
  const double mirror = op.align_corners ? 0 : -0.5;
  return clamped(reflected(position, mirror, last - mirror, side.per_span), last);
}

/// Keys' cubic kernel with a = −0.75.
__device__ inline double cubic_kernel(double t) {
  constexpr double a = -0.75;
  t = fabs(t);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return 0;
}

constexpr int taps_of(SampleMode mode) {
  return mode == SampleMode::kNearest ? 1 : mode == SampleMode::kBilinear ? 2 : 4;
}

/// Indices and their weights; what lies outside has the weight 0 and the index 0.
template <int kTaps>
struct AxisTaps {
  int index[kTaps];
  float weight[kTaps];

  __device__ void set(int tap, double whole, double its_weight, const SampledSide& side,
                      const CudaGridSample& op) {
    const double inside = padded_position(whole, side, op);
    const bool is_there = inside >= 0 && inside <= side.extent - 1;
    index[tap] = is_there ? static_cast<int>(inside) : 0;
    weight[tap] = is_there ? static_cast<float>(its_weight) : 0;
  }
};

/// Of a finite position in pixels.
template <SampleMode kMode>
__device__ AxisTaps<taps_of(kMode)> axis_taps(double position, const SampledSide& side,
                                              const CudaGridSample& op) {
  AxisTaps<taps_of(kMode)> taps;
  if constexpr (kMode != SampleMode::kBicubic) position = padded_position(position, side, op);
  if constexpr (kMode == SampleMode::kNearest) {
    taps.set(0, rint(position), 1, side, op);
    return taps;
  }
  const double first = floor(position), rest = position - first;
  if constexpr (kMode == SampleMode::kBilinear) {
    taps.set(0, first, 1 - rest, side, op);
    taps.set(1, first + 1, rest, side, op);
  }
  if constexpr (kMode == SampleMode::kBicubic) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      taps.set(i, first + i - 1, cubic_kernel(rest + 1 - i), side, op);
    }
  }
  return taps;
}

/// The taps of one output.
template <SampleMode kMode>
struct OutputTaps {
  AxisTaps<taps_of(kMode)> rows, columns;
  bool is_finite;

  __device__ OutputTaps(const CudaGridSample& op, float across, float down) {
    const double u = pixel_position(across, op.columns, op.align_corners);
    const double v = pixel_position(down, op.rows, op.align_corners);
    is_finite = isfinite(u) && isfinite(v);
    rows = axis_taps<kMode>(is_finite ? v : 0, op.rows, op);
    columns = axis_taps<kMode>(is_finite ? u : 0, op.columns, op);
  }
};

/// The same with how the weights change with the grid's number, as axis_taps of gradient.cpp.
template <int kTaps>
struct SlopedTaps {
  int index[kTaps];
  bool is_there[kTaps];
  double weight[kTaps], slope[kTaps];

  __device__ void set(int tap, double whole, double its_weight, double its_slope,
                      const SampledSide& side) {
    is_there[tap] = whole >= 0 && whole <= side.extent - 1;
    index[tap] = is_there[tap] ? static_cast<int>(whole) : 0;
    weight[tap] = its_weight;
    slope[tap] = its_slope;
  }
};

/// Keys' cubic kernel differentiated.
__device__ inline double cubic_slope(double t) {
  constexpr double a = -0.75;
  const double sign = t < 0 ? -1 : 1;
  t = fabs(t);
  if (t <= 1) return sign * (3 * (a + 2) * t - 2 * (a + 3)) * t;
  if (t < 2) return sign * ((3 * a * t - 10 * a) * t + 8 * a);
  return 0;
}

/// d(padded position)/d(position): 0 where it was moved to an edge, −1 where the image is mirrored.
__device__ inline double padded_slope(double position, const SampledSide& side,
                                      const CudaGridSample& op) {
  if (op.padding == SamplePadding::kZeros) return 1;
  constexpr double kStep = 1e-6;  // the position moves along straight lines
  const double moved = padded_position(position + kStep, side, op);
  return rint((moved - padded_position(position, side, op)) / kStep);
}

template <SampleMode kMode>
__device__ SlopedTaps<taps_of(kMode)> sloped_taps(double raw, const SampledSide& side,
                                                  const CudaGridSample& op) {
  SlopedTaps<taps_of(kMode)> taps;
  const double per_unit = (op.align_corners ? side.extent - 1 : side.extent) / 2.0;
  if constexpr (kMode == SampleMode::kBicubic) {
    const double first = floor(raw);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const double t = raw - first - (i - 1);
      taps.set(i, padded_position(first + (i - 1), side, op), cubic_kernel(t),
               cubic_slope(t) * per_unit, side);
    }
    return taps;
  }
  const double position = padded_position(raw, side, op);
  if constexpr (kMode == SampleMode::kNearest) taps.set(0, rint(position), 1, 0, side);
  if constexpr (kMode == SampleMode::kBilinear) {
    const double slope = padded_slope(raw, side, op) * per_unit;
    const double first = floor(position), rest = position - first;
    taps.set(0, first, 1 - rest, -slope, side);
    taps.set(1, first + 1, rest, slope, side);
  }
  return taps;
}

/// Calls run.operator()<mode>().
template <class Run>
void with_mode(SampleMode mode, const Run& run) {
  switch (mode) {
    case SampleMode::kBilinear:
      return run.template operator()<SampleMode::kBilinear>();
    case SampleMode::kNearest:
      return run.template operator()<SampleMode::kNearest>();
    case SampleMode::kBicubic:
      return run.template operator()<SampleMode::kBicubic>();
  }
}

}  // namespace mend::grid_sample
