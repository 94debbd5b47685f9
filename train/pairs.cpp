#include "train/pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "restore/color.h"

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
                       PairOptions options)
    : pictures_(std::move(pictures)), degradation_(std::move(degradation)), options_(options) {
  if (options_.patch < 1 || options_.scale < 1 || options_.margin < 0) {
    throw UsageError(fmt::format("training: patch {}, scale {} and margin {} must be positive",
                                 options_.patch, options_.scale, options_.margin));
  }
}

PairSource::Pair PairSource::make(std::int64_t sample) const {
  RandomStream random(options_.seed, static_cast<std::uint64_t>(sample));
  const std::shared_ptr<const Image> picture = pictures_->draw(random);
  const int seen = options_.patch + 2 * options_.margin, side = seen * options_.scale;
  if (picture->width < side || picture->height < side) {
    throw UsageError(fmt::format("training: a picture of {}x{} cannot hold a patch of {}x{}",
                                 picture->width, picture->height, side, side));
  }
  const int top = random.below(picture->height - side + 1);
  const int left = random.below(picture->width - side + 1);
  Tensor target = turned(window_to_float(*picture, top, left, side, side), random.below(8));
  if (options_.gray) target = luma(target, LumaRange::kFull);
  const Tensor input = degradation_(target, {random, seen, seen});
  if (input.shape().h != seen || input.shape().w != seen) {
    throw UsageError(
        fmt::format("degrade: the steps end at {}x{}, but the network is to see {}x{}; end with "
                    "{{\"do\": \"fit\"}}",
                    input.shape().w, input.shape().h, seen, seen));
  }
  return {input, target};
}

Pairs PairSource::batch(std::int64_t first, int count) const {
  const int channels = options_.gray ? 1 : 3, side = options_.patch * options_.scale;
  const Pairs batch{Tensor::empty({count, options_.patch, options_.patch, channels}),
                    Tensor::empty({count, side, side, channels})};
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
