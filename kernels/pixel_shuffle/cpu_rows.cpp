// Memory traffic is all there is, if the r² loose numbers of a pixel don't cost an index each: with
// r known to the compiler the two inner loops unroll into moves at fixed distances. A task is one
// row of small pixels, i.e. r rows of the large image, so both sides stay within a few cache lines.
#include "engine/parallel.h"
#include "kernels/pixel_shuffle/variants.h"

namespace mend {
namespace {

enum class Direction { kShuffle, kUnshuffle };

/// One row: small pixels of c·r² numbers, r rows of large pixels of c numbers. kFactor 0: any r.
template <Direction kDirection, int kFactor, class Small, class Large>
void shuffle_row(Small* small, std::int64_t small_stride, Large* large, std::int64_t row_stride,
                 std::int64_t large_stride, int width, int channels, int factor) {
  const int r = kFactor > 0 ? kFactor : factor;
  for (int w = 0; w < width; ++w, small += small_stride, large += r * large_stride) {
    for (int c = 0; c < channels; ++c) {
      Small* block = small + c * r * r;
      for (int i = 0; i < r; ++i) {
        for (int j = 0; j < r; ++j) {
          Large& number = large[i * row_stride + j * large_stride + c];
          if constexpr (kDirection == Direction::kShuffle) {
            number = block[i * r + j];
          } else {
            block[i * r + j] = number;
          }
        }
      }
    }
  }
}

template <Direction kDirection, int kFactor, class Small, class Large>
void shuffle(View<Small> small, View<Large> large, int factor) {
  const Shape& s = small.shape;
  parallel_for(std::int64_t{s.n} * s.h, [&](std::int64_t row, int) {
    const int n = static_cast<int>(row / s.h), h = static_cast<int>(row % s.h);
    shuffle_row<kDirection, kFactor>(small.pixel(n, h, 0), small.w_stride,
                                     large.pixel(n, h * factor, 0), large.h_stride, large.w_stride,
                                     s.w, large.shape.c, factor);
  });
}

template <Direction kDirection, class Small, class Large>
void shuffle_by(int factor, View<Small> small, View<Large> large) {
  switch (factor) {
    case 2:
      return shuffle<kDirection, 2>(small, large, factor);
    case 3:
      return shuffle<kDirection, 3>(small, large, factor);
    case 4:
      return shuffle<kDirection, 4>(small, large, factor);
    default:
      return shuffle<kDirection, 0>(small, large, factor);
  }
}

}  // namespace

void pixel_shuffle_rows(const op::PixelShuffle& op, View<const float> x, View<float> y) {
  shuffle_by<Direction::kShuffle>(op.factor, x, y);
}

void pixel_unshuffle_rows(const op::PixelUnshuffle& op, View<const float> x, View<float> y) {
  shuffle_by<Direction::kUnshuffle>(op.factor, y, x);
}

}  // namespace mend
