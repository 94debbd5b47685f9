// Enlarging by what the picture itself shows: adapt.h.
#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"
#include "restore/imresize.h"
#include "restore/restore.h"
#include "train/single_picture.h"

namespace mend {
namespace {

constexpr int kSmallest = 32, kPatch = 32, kBatch = 8, kLooks = 8;

/// A window of `picture` and of it made small, in place n of the pairs.
void fill(const Image& picture, const Image& small, int top, int left, int scale,
          const Pairs& pairs, int n) {
  const int side = pairs.input.shape().h, large = pairs.target.shape().h;
  const auto put = [n](const Tensor& window, const Tensor& to) {
    const View<const float> from = window.view<const float>();
    for (int y = 0; y < to.shape().h; ++y)
      for (int x = 0; x < to.shape().w; ++x)
        for (int c = 0; c < 3; ++c) {
          to.view<float>().pixel(n, y, x)[c] = from(0, y, x, from.shape.c == 3 ? c : 0);
        }
  };
  put(window_to_float(small, top, left, side, side), pairs.input);
  put(window_to_float(picture, top * scale, left * scale, large, large), pairs.target);
}

Pairs empty_pairs(int count, int side, int scale) {
  return {Tensor::empty({count, side, side, 3}),
          Tensor::empty({count, side * scale, side * scale, 3})};
}

/// The picture made small, cut so that it fits.
struct Scene {
  Image picture, small;
};

Scene scene_of(const Image& image, int scale) {
  if (scale < 2 || scale > 4)
    throw UsageError(fmt::format("adapt: x{}; there are x2, x3 and x4", scale));
  if (std::min(image.width, image.height) < kSmallest) {
    throw UsageError(
        fmt::format("adapt: a picture of {}x{} is too small to learn from; {} pixels a side",
                    image.width, image.height, kSmallest));
  }
  const int width = image.width / scale * scale, height = image.height / scale * scale;
  Image picture = make_image(width, height, image.colour_channels(), 8);
  store_float(picture, 0, 0, window_to_float(image, 0, 0, height, width));
  Image small = imresize(picture, height / scale, width / scale);
  return {std::move(picture), std::move(small)};
}

}  // namespace

Adapted adapt_upscale(const Image& image, int scale, const AdaptOptions& options) {
  const Scene scene = scene_of(image, scale);
  const Image& small = scene.small;
  const int side = std::min({kPatch, small.width, small.height});
  // The rightmost eighth is held out, or as much as a patch needs: all that there is of a tiny picture.
  const int seen = std::max(side, small.width - std::max(side, small.width / 8));
  const auto draw = [&](std::uint64_t seed, std::int64_t sample, int left, int right,
                        const Pairs& pairs, int n) {
    RandomStream random(seed, static_cast<std::uint64_t>(sample));
    const int top = random.below(small.height - side + 1);
    fill(scene.picture, small, top, left + random.below(right - left - side + 1), scale, pairs, n);
  };
  Lesson lesson;
  lesson.task = "upscale";
  lesson.architecture = "srvgg";
  lesson.hyperparameters = {{"num_in_ch", 3}, {"num_out_ch", 3},  {"num_feat", 32},
                            {"num_conv", 8},  {"upscale", scale}, {"act_type", "prelu"}};
  lesson.pairs = [&](std::int64_t step) {
    const Pairs pairs = empty_pairs(kBatch, side, scale);
    for (int n = 0; n < kBatch; ++n) draw(options.seed, step * kBatch + n, 0, seen, pairs, n);
    return pairs;
  };
  lesson.held_out = empty_pairs(kLooks, side, scale);
  for (int n = 0; n < kLooks; ++n) {
    draw(options.seed + 1, n, small.width - std::max(side, small.width - seen), small.width,
         lesson.held_out, n);
  }
  const Learned learned = learn(lesson, options);
  RestoreOptions restoring;
  restoring.tiles = options.tiles;
  return {restore(learned.model, image, restoring), learned.progress, learned.stopped_early};
}

}  // namespace mend
