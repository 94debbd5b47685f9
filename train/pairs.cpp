#include "train/pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "layers/functions.h"
#include "models/task.h"
#include "restore/color.h"
#include "restore/lab.h"
#include "train/holes.h"

namespace mend {
namespace {

/// One of the eight ways to turn a square: mirrored by bit 0, upside down by bit 1, transposed by bit 2.
Tensor turned(const Tensor& x, int way) {
  const int side = x.shape().h, channels = x.shape().c;
  const Tensor y = Tensor::empty(x.shape());
  for (int p = 0; p < side; ++p)
    for (int q = 0; q < side; ++q) {
      int row = (way & 2) != 0 ? side - 1 - p : p, column = (way & 1) != 0 ? side - 1 - q : q;
      if ((way & 4) != 0) std::swap(row, column);
      std::copy_n(x.view<const float>().pixel(0, row, column), channels,
                  y.view<float>().pixel(0, p, q));
    }
  return y;
}

/// Mean difference of neighbours across and down in a square of an 8-bit RGB picture, in grey levels.
double detail_of(const Image& picture, int top, int left, int side) {
  const std::ptrdiff_t next_row = picture.row(1) - picture.row(0);
  std::int64_t sum = 0;
  for (int y = 0; y + 1 < side; ++y) {
    const std::uint8_t* pixel = picture.row(top + y) + 3 * left;
    for (int i = 0; i < 3 * (side - 1); ++i) {
      sum += std::abs(pixel[i + 3] - pixel[i]) + std::abs(pixel[i + next_row] - pixel[i]);
    }
  }
  return static_cast<double>(sum) / (6.0 * (side - 1) * (side - 1));
}

/// x without `border` pixels on each side, into image n of `batch`.
void copy_inner(const Tensor& x, int border, const Tensor& batch, int n) {
  const Shape shape = batch.shape();
  for (int p = 0; p < shape.h; ++p) {
    std::copy_n(x.view<const float>().pixel(0, p + border, border), std::int64_t{shape.w} * shape.c,
                batch.view<float>().pixel(n, p, 0));
  }
}

}  // namespace

PairSource::PairSource(std::shared_ptr<PictureSet> pictures, Degradation degradation,
                       PairOptions options, Degradation holes)
    : pictures_(std::move(pictures)),
      degradation_(std::move(degradation)),
      options_(options),
      holes_(std::move(holes)) {
  if (options_.patch < 1 || options_.scale < 1 || options_.margin < 0 || options_.looks < 1) {
    throw UsageError(
        fmt::format("training: patch {}, scale {}, margin {} and looks {} must be positive",
                    options_.patch, options_.scale, options_.margin, options_.looks));
  }
}

PairSource::Place PairSource::draw_place(RandomStream& random, int side) const {
  Place best;
  double most = -1;
  for (int look = 0; look < options_.looks; ++look) {
    Place place{pictures_->draw(random)};
    const Image& picture = *place.picture;
    if (picture.width < side || picture.height < side) {
      throw UsageError(fmt::format("training: a picture of {}x{} cannot hold a patch of {}x{}",
                                   picture.width, picture.height, side, side));
    }
    place.top = random.below(picture.height - side + 1);
    place.left = random.below(picture.width - side + 1);
    if (options_.looks == 1) return place;
    const double detail = detail_of(picture, place.top, place.left, side);
    if (detail <= most) continue;
    most = detail;
    best = std::move(place);
  }
  return best;
}

PairSource::Pair PairSource::make(std::int64_t sample) const {
  RandomStream random(options_.seed, static_cast<std::uint64_t>(sample));
  const int seen = options_.patch + 2 * options_.margin, side = seen * options_.scale;
  const Place place = draw_place(random, side);
  Tensor target =
      turned(window_to_float(*place.picture, place.top, place.left, side, side), random.below(8));
  if (options_.before) target = options_.before(target, {random, side, side});
  if (target.shape().h != side || target.shape().w != side) {
    throw UsageError(fmt::format("before: the steps make a picture of {}x{} of one of {}x{}",
                                 target.shape().w, target.shape().h, side, side));
  }
  if (options_.gray) target = luma(target, LumaRange::kFull);
  if (options_.gray_share > 0 && random.chance(options_.gray_share)) {
    const Tensor gray = luma(target, LumaRange::kFull);
    target = concat({gray, gray, gray});
  }
  const Tensor input = degradation_(target, {random, seen, seen});
  if (input.shape().h != seen || input.shape().w != seen) {
    throw UsageError(
        fmt::format("degrade: the steps end at {}x{}, but the network is to see {}x{}; end with "
                    "{{\"do\": \"fit\"}}",
                    input.shape().w, input.shape().h, seen, seen));
  }
  if (options_.colours) {
    return {lightness(input), slice_channels(rgb_to_lab(target), 1, 2).clone()};
  }
  if (!holes_) return {input, target};
  return {with_mask(input, draw_mask(holes_, seen, seen, random)), target};
}

Tensors network_inputs(const Traits& traits, const Tensor& input) {
  if (traits.condition != Condition::kMask) return {input};
  const int channels = input.shape().c - 1;
  return {slice_channels(input, 0, channels), slice_channels(input, channels, 1)};
}

Pairs PairSource::batch(std::int64_t first, int count) const {
  const int side = options_.patch * options_.scale;
  const int seen_channels = options_.picture_channels() + (holes_ ? 1 : 0);
  const Pairs batch{Tensor::empty({count, options_.patch, options_.patch, seen_channels}),
                    Tensor::empty({count, side, side, options_.target_channels()})};
  std::exception_ptr fault;
  std::mutex mutex;
  parallel_for(count, [&](std::int64_t n, int) {
    try {
      const Pair pair = make(first + n);
      copy_inner(pair.input, options_.margin, batch.input, static_cast<int>(n));
      copy_inner(pair.target, options_.margin * options_.scale, batch.target, static_cast<int>(n));
    } catch (...) {
      const std::lock_guard lock(mutex);
      fault = std::current_exception();
    }
  });
  if (fault) std::rethrow_exception(fault);
  return batch;
}

}  // namespace mend
