// Dealing out an image to threads: each has a unit, one number or a Pack of 4 of them.
#pragma once

#include <algorithm>

#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/element.cuh"

namespace mend {

/// A number's place in a tensor.
struct Place {
  int n, h, w, c;
};

/// The units of some images in the order of memory, so that neighbouring threads have neighbours.
struct UnitsOf {
  FastDivider channels, width, height;  ///< channels: units of a pixel
  int count;                            ///< units in all

  /// Of unit number `unit`, or of its first number; n counts from `first_image` on.
  template <int kNumbers>
  __device__ Place place(int unit, int first_image) const {
    const auto [pixel, c] = channels(unit);
    const auto [row, w] = width(pixel);
    const auto [image, h] = height(row);
    return {first_image + image, h, w, c * kNumbers};
  }
};

/// Calls launch(blocks, units, first_image) for all units of a tensor, so many images at a time that their
/// units can be counted in 31 bits. `block`: units of a block.
template <class Launch>
void for_each_launch(const Shape& s, int numbers_of_unit, int block, const Launch& launch) {
  const int channels = s.c / numbers_of_unit;
  const std::int64_t of_image = std::int64_t{s.h} * s.w * channels;
  const std::int64_t fit = ((std::int64_t{1} << 31) - 1) / of_image;
  const int most = static_cast<int>(std::min<std::int64_t>(s.n, fit));
  for (int first = 0; first < s.n; first += most) {
    const std::int64_t count = std::min(most, s.n - first) * of_image;
    launch(
        static_cast<unsigned>((count + block - 1) / block),
        UnitsOf{FastDivider(channels), FastDivider(s.w), FastDivider(s.h), static_cast<int>(count)},
        first);
  }
}

}  // namespace mend
