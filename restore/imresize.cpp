#include "restore/imresize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "restore/pixels.h"

namespace mend {
namespace {

/// Keys' cubic with a = -0.5.
double cubic(double x) {
  const double r = std::abs(x);
  if (r <= 1) return (1.5 * r - 2.5) * r * r + 1;
  if (r <= 2) return ((-0.5 * r + 2.5) * r - 4) * r + 2;
  return 0;
}

/// What one direction becomes.
struct Direction {
  int from = 0, to = 0;  ///< pixels
  double scale = 1;
};

/// The input pixels and weights of every output pixel: output i sums `count` of each from i·count.
struct Taps {
  std::int64_t count = 0;
  std::vector<int> index;
  std::vector<double> weight;
};

Taps taps_of(const Direction& direction) {
  const double narrow = std::min(direction.scale, 1.0);  // below 1 the kernel is stretched
  const double support = 4 / narrow;
  Taps taps;
  taps.count = static_cast<std::int64_t>(std::ceil(support)) + 2;
  const std::size_t all = static_cast<std::size_t>(taps.count * direction.to);
  taps.index.reserve(all);
  taps.weight.reserve(all);
  const std::int64_t period = 2 * std::int64_t{direction.from};
  for (int i = 1; i <= direction.to; ++i) {
    const double u = i / direction.scale + 0.5 * (1 - 1 / direction.scale);
    const auto left = static_cast<std::int64_t>(std::floor(u - support / 2));
    double sum = 0;
    for (std::int64_t k = 0; k < taps.count; ++k) {
      const std::int64_t j = left + k;  // from 1
      std::int64_t mirrored = ((j - 1) % period + period) % period;
      if (mirrored >= direction.from) mirrored = period - 1 - mirrored;
      taps.index.push_back(static_cast<int>(mirrored));
      taps.weight.push_back(narrow * cubic(narrow * (u - static_cast<double>(j))));
      sum += taps.weight.back();
    }
    for (auto w = taps.weight.end() - taps.count; w != taps.weight.end(); ++w) *w /= sum;
  }
  return taps;
}

/// A sum as a pixel: integers are rounded, halves up, and clipped.
template <class Value>
Value pixel_of(double sum) {
  if constexpr (std::is_floating_point_v<Value>) {
    return static_cast<Value>(sum);
  } else {
    return static_cast<Value>(std::clamp(std::floor(sum + 0.5), 0.0, double{kFull<Value>}));
  }
}

/// Rows of `values` values each; bytes of Value.
template <class Value>
void resize_rows(const std::uint8_t* from, const Taps& taps, std::int64_t values, int rows_out,
                 std::uint8_t* to) {
  // A row of sums for each thread, made here because tasks must not throw.
  std::vector<std::vector<double>> sums_of(threads(),
                                           std::vector<double>(static_cast<std::size_t>(values)));
  parallel_for(rows_out, [&](std::int64_t row, int thread) {
    std::vector<double>& sums = sums_of[thread];
    std::ranges::fill(sums, 0.0);
    for (std::int64_t k = 0; k < taps.count; ++k) {
      const double weight = taps.weight[row * taps.count + k];
      if (weight == 0) continue;
      const std::uint8_t* source =
          from + taps.index[row * taps.count + k] * values * std::int64_t{sizeof(Value)};
      for (std::int64_t v = 0; v < values; ++v) {
        sums[v] += weight * static_cast<double>(load<Value>(source + v * sizeof(Value)));
      }
    }
    std::uint8_t* target = to + row * values * std::int64_t{sizeof(Value)};
    for (std::int64_t v = 0; v < values; ++v) {
      store(target + v * sizeof(Value), pixel_of<Value>(sums[v]));
    }
  });
}

template <class Value>
void resize_columns(const std::uint8_t* from, const Direction& direction, const Taps& taps,
                    int rows, int channels, std::uint8_t* to) {
  const std::int64_t pixel_bytes = channels * std::int64_t{sizeof(Value)};
  parallel_for(rows, [&](std::int64_t row, int) {
    const std::uint8_t* source = from + row * direction.from * pixel_bytes;
    std::uint8_t* target = to + row * direction.to * pixel_bytes;
    const int* index = taps.index.data();
    const double* weight = taps.weight.data();
    for (int x = 0; x < direction.to; ++x, index += taps.count, weight += taps.count) {
      for (int c = 0; c < channels; ++c, target += sizeof(Value)) {
        double sum = 0;
        for (std::int64_t k = 0; k < taps.count; ++k) {
          const std::uint8_t* pixel = source + index[k] * pixel_bytes + c * sizeof(Value);
          sum += weight[k] * static_cast<double>(load<Value>(pixel));
        }
        store(target, pixel_of<Value>(sum));
      }
    }
  });
}

/// Both directions; `half` has room for the picture between them.
template <class Value>
void resize(const std::uint8_t* from, const Direction& vertical, const Direction& horizontal,
            int channels, std::uint8_t* half, std::uint8_t* to) {
  const Taps rows = taps_of(vertical);
  const Taps columns = taps_of(horizontal);
  if (vertical.scale <= horizontal.scale) {
    resize_rows<Value>(from, rows, std::int64_t{horizontal.from} * channels, vertical.to, half);
    resize_columns<Value>(half, horizontal, columns, vertical.to, channels, to);
  } else {
    resize_columns<Value>(from, horizontal, columns, vertical.from, channels, half);
    resize_rows<Value>(half, rows, std::int64_t{horizontal.to} * channels, vertical.to, to);
  }
}

/// Height and width of the picture between the two directions.
std::pair<int, int> half_extents(const Direction& vertical, const Direction& horizontal) {
  const bool rows_first = vertical.scale <= horizontal.scale;
  return {rows_first ? vertical.to : vertical.from, rows_first ? horizontal.from : horizontal.to};
}

Direction scaled(int from, double scale) {
  constexpr double kSmallestScale = 1e-6;  // a kernel of 4 million taps
  const double to = std::ceil(scale * from);
  if (!(scale >= kSmallestScale) || to > std::numeric_limits<int>::max()) {
    throw UsageError(fmt::format("imresize: {} pixels cannot be scaled by {}", from, scale));
  }
  return {from, static_cast<int>(to), scale};
}

Image resized(const Image& image, const Direction& vertical, const Direction& horizontal) {
  const auto [half_height, half_width] = half_extents(vertical, horizontal);
  Image half = make_image(half_width, half_height, image.channels, image.bits);
  Image out = make_image_like(image, horizontal.to, vertical.to, image.channels, image.bits);
  with_number_of(image, [&](auto number) {
    resize<decltype(number)>(image.bytes.data(), vertical, horizontal, image.channels,
                             half.bytes.data(), out.bytes.data());
  });
  return out;
}

}  // namespace

Image imresize(const Image& image, double scale) {
  return resized(image, scaled(image.height, scale), scaled(image.width, scale));
}

Image imresize(const Image& image, int height, int width) {
  if (height < 1 || width < 1) {
    throw UsageError(fmt::format("imresize: {} x {} pixels were asked for", width, height));
  }
  return resized(image, {image.height, height, static_cast<double>(height) / image.height},
                 {image.width, width, static_cast<double>(width) / image.width});
}

Tensor imresize(const Tensor& x, double scale) {
  assert(x.shape().n == 1);
  const Tensor from = x.dense() ? x : x.clone();
  const int channels = x.shape().c;
  const Direction vertical = scaled(x.shape().h, scale);
  const Direction horizontal = scaled(x.shape().w, scale);
  const auto [half_height, half_width] = half_extents(vertical, horizontal);
  const Tensor half = Tensor::empty({1, half_height, half_width, channels});
  Tensor out = Tensor::empty({1, vertical.to, horizontal.to, channels});
  const auto bytes_of = [](const Tensor& tensor) {
    return reinterpret_cast<std::uint8_t*>(tensor.view<float>().data);
  };
  resize<float>(bytes_of(from), vertical, horizontal, channels, bytes_of(half), bytes_of(out));
  return out;
}

}  // namespace mend
