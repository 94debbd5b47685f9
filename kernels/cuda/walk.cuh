// Walking over the elements of several views at once: from one number to where the element lies in each.
//
// Extents whose elements follow each other at one distance in all views are joined, so dense tensors are
// one extent without any division, and a vector beside a tensor is two. The divisions that are left are
// a multiplication each (Granlund & Montgomery 1994, figure 4.1).
#pragma once

#include <cstdint>
#include <string>

#include "engine/error.h"
#include "engine/tensor.h"
#include "kernels/cuda/element.cuh"

namespace mend {

/// Divides numbers below 2^31 by `divisor`.
struct Divider {
  std::uint32_t divisor = 1, multiplier = 1, shift = 0;

  Divider() = default;
  explicit Divider(std::int64_t by) : divisor(static_cast<std::uint32_t>(by)) {
    while ((std::uint64_t{1} << shift) < divisor) ++shift;
    const std::uint64_t excess = (std::uint64_t{1} << shift) - divisor;
    multiplier = static_cast<std::uint32_t>((excess << 32) / divisor + 1);
  }
  __device__ std::uint32_t quotient(std::uint32_t number) const {
    return (__umulhi(number, multiplier) + number) >> shift;
  }
};

/// Where the elements of a view lie, in elements; an extent of 1 that stands for all has the stride 0.
struct Strides {
  std::int64_t n, h, w, c;

  template <class T>
  explicit Strides(const View<T>& view)
      : n(view.shape.n == 1 ? 0 : view.n_stride),
        h(view.shape.h == 1 ? 0 : view.h_stride),
        w(view.shape.w == 1 ? 0 : view.w_stride),
        c(view.shape.c == 1 ? 0 : 1) {}
};

/// The elements of `shape` in NHWC order, and where they lie in kViews views.
template <int kViews>
struct Walk {
  int dimensions = 1;
  Divider extent[4];  ///< innermost first
  std::int64_t stride[4][kViews] = {};
  std::uint32_t count = 1;

  Walk(const Shape& shape, const Strides (&views)[kViews]) {
    const std::int64_t elements = shape.elements();
    if (elements >= std::int64_t{1} << 31) {
      throw UsageError("a GPU takes fewer than 2^31 elements of a tensor at once, not " +
                       std::to_string(elements));
    }
    count = static_cast<std::uint32_t>(elements);
    std::int64_t extents[4] = {1, 1, 1, 1};
    dimensions = 0;
    const auto add = [&](int more, std::int64_t Strides::*of) {
      if (more == 1) return;
      bool joined = dimensions > 0;
      for (int i = 0; i < kViews && joined; ++i) {
        joined = views[i].*of == stride[dimensions - 1][i] * extents[dimensions - 1];
      }
      if (!joined) {
        for (int i = 0; i < kViews; ++i) stride[dimensions][i] = views[i].*of;
        ++dimensions;
      }
      extents[dimensions - 1] *= more;
    };
    add(shape.c, &Strides::c);
    add(shape.w, &Strides::w);
    add(shape.h, &Strides::h);
    add(shape.n, &Strides::n);
    if (dimensions == 0) dimensions = 1;
    for (int d = 0; d < dimensions; ++d) extent[d] = Divider(extents[d]);
  }

  /// Whether the elements of a Pack lie side by side in view i, at a multiple of 16 bytes.
  template <class T>
  bool packs(int i, const T* data) const {
    constexpr int kCount = Pack<T>::kCount;
    bool aligned = reinterpret_cast<std::uintptr_t>(data) % sizeof(Pack<T>) == 0 &&
                   stride[0][i] == 1 && extent[0].divisor % kCount == 0;
    for (int d = 1; d < dimensions; ++d) aligned &= stride[d][i] % kCount == 0;
    return aligned;
  }
  /// Whether one element of view i stands for all of the innermost extent.
  constexpr bool is_constant(int i) const { return stride[0][i] == 0; }

  /// The same with a step of so many elements.
  Walk in_packs(int elements = Pack<float>::kCount) const {
    Walk walk = *this;
    walk.extent[0] = Divider(extent[0].divisor / static_cast<std::uint32_t>(elements));
    for (std::int64_t& step : walk.stride[0]) step *= elements;
    walk.count /= static_cast<std::uint32_t>(elements);
    return walk;
  }

  /// Adds where element `index` lies to `at`.
  __device__ void locate(std::uint32_t index, std::int64_t (&at)[kViews]) const {
#pragma unroll
    for (int d = 0; d < 4; ++d) {
      const bool last = d == dimensions - 1;
      const std::uint32_t next = last ? 0 : extent[d].quotient(index);
      const std::uint32_t coordinate = index - next * extent[d].divisor;
#pragma unroll
      for (int i = 0; i < kViews; ++i) at[i] += coordinate * stride[d][i];
      if (last) return;
      index = next;
    }
  }
};

}  // namespace mend
