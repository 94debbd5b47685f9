// Operations over the channels of each pixel: a group of 1 to 32 neighbouring threads, `lanes`, has a pixel.
//
// Bound by memory. All loads of a pixel are under way before the first number is used, and the pixel stays
// in registers until it is written: one read, one write, however often it is gone through. Groups are as
// small as the registers of a thread allow, so that few steps of a sum go through shuffles and few lanes
// have nothing to do; a warp then has several pixels, which lie side by side.
#pragma once

#include <cstdint>

#include "engine/cuda/check.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/run.cuh"

namespace mend {

constexpr int kWideUnit = 4;  ///< numbers: 16 bytes of f32
constexpr int kLineThreads = 256,
              kFewLineThreads = 64;  ///< of a block; few, where that uses more of the GPU

/// How a launch deals out pixels.
struct Lines {
  FastDivider width, height;
  int pixels;
  int channels;
  int units;      ///< of a pixel: numbers, or kWideUnit of them
  int lane_bits;  ///< a pixel has 2^lane_bits lanes
};

/// What of a pixel one lane has: its units lane, lane + lanes, ... With kHeld > 0 these are kHeld at most,
/// and stay in registers; with 0 they are any number, and read again whenever they are asked for.
template <int kUnitNumbers, int kHeldUnits>
struct LaneOf {
  static constexpr int kHeld = kHeldUnits;
  static constexpr int kNumbers = kUnitNumbers;
  struct Values {
    float of[kNumbers];
  };

  int n, h, w;
  int lane, lanes, units, channels;  ///< units: 0 for a pixel beyond the last

  /// f(i, unit) for each unit of this lane, its i-th.
  template <class F>
  __device__ void each(const F& f) const {
    if constexpr (kHeld > 0) {
#pragma unroll
      for (int i = 0; i < kHeld; ++i) {
        if (lane + i * lanes < units) f(i, lane + i * lanes);
      }
    } else {
      for (int unit = lane; unit < units; unit += lanes) f(0, unit);
    }
  }
  /// Σ over the lanes of the pixel; every lane has it.
  __device__ float sum(float value) const {
    for (int other = lanes / 2; other > 0; other /= 2) {
      value += __shfl_xor_sync(0xFFFFFFFFu, value, other);
    }
    return value;
  }
  __device__ float most(float value) const {
    for (int other = lanes / 2; other > 0; other /= 2) {
      value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, other));
    }
    return value;
  }
};

/// The numbers of a unit in f32.
template <class Lane, class T>
__device__ typename Lane::Values load_unit(const Run<T, Lane::kNumbers>* from) {
  const Run<T, Lane::kNumbers> unit = *from;
  typename Lane::Values values;
#pragma unroll
  for (int e = 0; e < Lane::kNumbers; ++e) values.of[e] = as_float(unit.values[e]);
  return values;
}

/// The numbers of a pixel that this lane has.
template <class Lane, class T>
class LineOf {
 public:
  using Unit = Run<T, Lane::kNumbers>;
  using Values = typename Lane::Values;

  __device__ LineOf(const View<const T>& view, const Lane& lane)
      : from_(reinterpret_cast<const Unit*>(pixel_of(view, lane.n, lane.h, lane.w))) {
    if constexpr (Lane::kHeld > 0) {
      lane.each([&](int i, int unit) { held_[i] = load_unit<Lane>(from_ + unit); });
    }
  }
  __device__ Values at(int i, int unit) const {
    if constexpr (Lane::kHeld > 0) {
      return held_[i];
    } else {
      return load_unit<Lane>(from_ + unit);
    }
  }
  /// Puts other numbers in their place, where they are held.
  __device__ void keep(int i, const Values& values) {
    if constexpr (Lane::kHeld > 0) held_[i] = values;
  }

 private:
  const Unit* from_;
  Values held_[Lane::kHeld > 0 ? Lane::kHeld : 1];
};

/// Whether a vector may be read in wide units; one that is absent is not read.
inline bool starts_a_unit(const float* vector) {
  return reinterpret_cast<std::uintptr_t>(vector) % (kWideUnit * sizeof(float)) == 0;
}

/// `unit` of a vector of channels, or `absent` in all.
template <class Lane>
__device__ typename Lane::Values channels_at(const float* vector, int unit, float absent) {
  if (vector != nullptr) {
    return load_unit<Lane>(reinterpret_cast<const Run<float, Lane::kNumbers>*>(vector) + unit);
  }
  typename Lane::Values values;
#pragma unroll
  for (int e = 0; e < Lane::kNumbers; ++e) values.of[e] = absent;
  return values;
}

template <class T, class Lane>
__device__ void store(const View<T>& y, const Lane& lane, int unit,
                      const typename Lane::Values& values) {
  using Unit = Run<T, Lane::kNumbers>;
  Unit to;
#pragma unroll
  for (int e = 0; e < Lane::kNumbers; ++e) to.values[e] = from_float<T>(values.of[e]);
  reinterpret_cast<Unit*>(pixel_of(y, lane.n, lane.h, lane.w))[unit] = to;
}

template <int kUnitNumbers, int kHeld, class Work>
__global__ void __launch_bounds__(kLineThreads) each_line(Work work, Lines lines) {
  const std::int64_t thread = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const int lanes = 1 << lines.lane_bits;
  const int last = lines.pixels - 1, pixel = static_cast<int>(thread >> lines.lane_bits);
  const auto [row, w] = lines.width(min(pixel, last));
  const auto [n, h] = lines.height(row);
  const LaneOf<kUnitNumbers, kHeld> lane{n,
                                         h,
                                         w,
                                         static_cast<int>(threadIdx.x) & (lanes - 1),
                                         lanes,
                                         pixel <= last ? lines.units : 0,
                                         lines.channels};
  work(lane);
}

/// Single numbers that a lane may hold of a Work.
template <class Work>
constexpr int most_held() {
  if constexpr (requires { Work::kMostHeld; }) return Work::kMostHeld;
  return 32;
}

/// Calls work(lane), a LaneOf, for all lanes of all pixels of `shape`. `wide`: whether all of its views and
/// vectors may be read in wide units.
template <class Work>
void launch_lines(const char* kernel, const Work& work, const Shape& shape, bool wide,
                  cudaStream_t stream) {
  Lines lines{FastDivider(shape.w),
              FastDivider(shape.h),
              static_cast<int>(shape.pixels()),
              shape.c,
              wide ? shape.c / kWideUnit : shape.c,
              0};
  const auto launch = [&](auto run) {
    constexpr std::int64_t kEnough = 132 * kLineThreads;  // a block for each multiprocessor
    const std::int64_t threads = std::int64_t{lines.pixels} << lines.lane_bits;
    const int of_block = threads < kEnough ? kFewLineThreads : kLineThreads;
    const auto blocks = static_cast<unsigned>((threads + of_block - 1) / of_block);
    run<<<blocks, of_block, 0, stream>>>(work, lines);
    cuda_check(cudaGetLastError(), kernel);
  };
  // The split with the fewest idle lanes; of equal ones that with more units a lane, up to four.
  const int most = wide ? 8 : most_held<Work>();
  int held = 0, fewest = 0;
  for (const int candidate : {4, 3, 2, 1, 8, 32}) {
    int bits = 0;
    while (bits < 5 && (candidate << bits) < lines.units) ++bits;
    const int slots = candidate << bits;
    if (candidate > most || slots < lines.units || (held > 0 && slots >= fewest)) continue;
    held = candidate;
    fewest = slots;
    lines.lane_bits = bits;
  }
  const auto with = [&]<int kNumbers>() {
    switch (held) {
      case 1:
        return launch(each_line<kNumbers, 1, Work>);
      case 2:
        return launch(each_line<kNumbers, 2, Work>);
      case 3:
        return launch(each_line<kNumbers, 3, Work>);
      case 4:
        return launch(each_line<kNumbers, 4, Work>);
      case 8:
        return launch(each_line<kNumbers, 8, Work>);
      case 32:
        if constexpr (kNumbers == 1 && most_held<Work>() == 32)
          return launch(each_line<kNumbers, 32, Work>);
        break;
      default:
        lines.lane_bits = 5;
        return launch(each_line<kNumbers, 0, Work>);
    }
  };
  if (wide) return with.template operator()<kWideUnit>();
  with.template operator()<1>();
}

}  // namespace mend
