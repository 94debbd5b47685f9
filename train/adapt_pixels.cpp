// Inpainting and denoising by what the picture itself shows: adapt.h.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/error.h"
#include "restore/inpaint.h"
#include "restore/mask.h"
#include "train/single_picture.h"

namespace mend {
namespace {

constexpr int kSmallest = 16, kPatch = 64, kBatch = 4, kLookPatch = 96, kLooks = 8;
constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
/// Every so manieth known pixel, by its place, is held out.
constexpr std::uint64_t kHeldOutOf = 24;

/// The picture as the network sees it, and where its holes are.
struct Scene {
  Tensor picture;  ///< f32 [1,H,W,3]
  std::vector<std::uint8_t> hole;
  int height, width;

  bool is_hole(int y, int x) const {
    return hole[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                static_cast<std::size_t>(x)] != 0;
  }
};

Scene scene_of(const Image& image, const Image& mask) {
  if (image.width < kSmallest || image.height < kSmallest) {
    throw UsageError(
        fmt::format("adapt: a picture of {}x{} is too small to learn from; {} pixels a side",
                    image.width, image.height, kSmallest));
  }
  Scene scene{Tensor::empty({1, image.height, image.width, 3}), {}, image.height, image.width};
  const Tensor colours = window_to_float(image, 0, 0, image.height, image.width);
  const float* from = colours.view<const float>().data;
  float* to = scene.picture.view<float>().data;
  const int channels = colours.shape().c;
  for (std::int64_t i = 0; i < image.pixels(); ++i) {
    for (int c = 0; c < 3; ++c) to[3 * i + c] = from[channels * i + (channels == 3 ? c : 0)];
  }
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) scene.hole.push_back(mask.row(y)[x] != 0 ? 1 : 0);
  }
  return scene;
}

bool is_held_out(int y, int x) {
  RandomStream place(17, (static_cast<std::uint64_t>(y) << 32) | static_cast<std::uint32_t>(x));
  return place.bits() % kHeldOutOf == 0;
}

/// Whether the network may see a pixel, and whether it is judged by it.
struct Role {
  bool hidden, judged;
};

/// One patch from (top, left) into place n of the pairs: black and marked where it is hidden, NaN where
/// the network is not judged.
template <class RoleOf>
void fill(const Scene& scene, int top, int left, const Pairs& pairs, int n, const RoleOf& role_of) {
  const int side = pairs.input.shape().h;
  const View<const float> picture = scene.picture.view<const float>();
  for (int p = 0; p < side; ++p)
    for (int q = 0; q < side; ++q) {
      const int y = top + p, x = left + q;
      const Role role = role_of(y, x);
      const bool hidden = role.hidden || scene.is_hole(y, x);
      float* input = pairs.input.view<float>().pixel(n, p, q);
      float* target = pairs.target.view<float>().pixel(n, p, q);
      for (int c = 0; c < 3; ++c) {
        input[c] = hidden ? 0 : picture(0, y, x, c);
        target[c] = role.judged && !scene.is_hole(y, x) ? picture(0, y, x, c) : kUnknown;
      }
      input[3] = hidden ? 1 : 0;
    }
}

Pairs empty_pairs(int count, int side) {
  return {Tensor::empty({count, side, side, 4}), Tensor::empty({count, side, side, 3})};
}

/// The largest multiple of 8, the network's, up to `wanted` that the picture can hold.
int patch_side(const Scene& scene, int wanted) {
  return std::min({wanted, scene.height, scene.width}) / 8 * 8;
}

/// Which pixels of a patch are hidden, drawn anew for each patch.
using Hide = std::function<std::function<bool(int y, int x)>(RandomStream& random)>;

Lesson lesson_of(const Scene& scene, std::uint64_t seed, const Hide& hide) {
  Lesson lesson;
  lesson.task = "inpaint";
  lesson.architecture = "drunet";
  lesson.hyperparameters = {{"in_nc", 4},
                            {"out_nc", 3},
                            {"nc", {32, 48, 64, 64}},
                            {"nb", 1},
                            {"act_mode", "R"},
                            {"downsample_mode", "strideconv"},
                            {"upsample_mode", "convtranspose"},
                            {"bias", false}};
  lesson.pairs = [&scene, seed, hide](std::int64_t step) {
    const int side = patch_side(scene, kPatch);
    const Pairs pairs = empty_pairs(kBatch, side);
    for (int n = 0; n < kBatch; ++n) {
      RandomStream random(seed, static_cast<std::uint64_t>(step * kBatch + n));
      const int top = random.below(scene.height - side + 1);
      const int left = random.below(scene.width - side + 1);
      const auto is_hidden = hide(random);
      fill(scene, top, left, pairs, n, [&](int y, int x) {
        const bool hidden = is_hidden(y, x);
        return Role{hidden, hidden && !is_held_out(y, x)};
      });
    }
    return pairs;
  };
  const int side = patch_side(scene, kLookPatch);
  lesson.held_out = empty_pairs(kLooks, side);
  for (int n = 0; n < kLooks; ++n) {
    RandomStream random(seed + 1, static_cast<std::uint64_t>(n));
    const int top = random.below(scene.height - side + 1);
    const int left = random.below(scene.width - side + 1);
    fill(scene, top, left, lesson.held_out, n, [](int y, int x) {
      return Role{is_held_out(y, x), is_held_out(y, x)};
    });
  }
  return lesson;
}

/// Hides what the picture's own holes hide at another place of it, and some single pixels.
Hide as_the_holes(const Scene& scene) {
  return [&scene](RandomStream& random) {
    const int down = random.below(scene.height), right = random.below(scene.width);
    const double chance = random.uniform(0.02, 0.3);
    RandomStream pixels = random.fork(1);
    return [&scene, down, right, chance, pixels](int y, int x) mutable {
      return scene.is_hole((y + down) % scene.height, (x + right) % scene.width) ||
             pixels.chance(chance);
    };
  };
}

/// The pixels (y, x) with the parity of `phase`: a quarter of all, none beside another.
bool is_in_phase(int phase, int y, int x) { return (y & 1) == phase / 2 && (x & 1) == phase % 2; }

Hide one_in_four() {
  return [](RandomStream& random) {
    const int phase = random.below(4);
    return [phase](int y, int x) { return is_in_phase(phase, y, x); };
  };
}

}  // namespace

Adapted adapt_inpaint(const Image& image, const Image& mask, const AdaptOptions& options) {
  if (bounds_of_holes(mask).h == 0) throw UsageError("adapt: the mask has no hole to fill");
  const Scene scene = scene_of(image, mask);
  const auto known = std::ranges::count(scene.hole, 0);
  if (known < std::int64_t{kSmallest} * kSmallest) {
    throw UsageError(
        fmt::format("adapt: only {} pixels are known; that is too little to learn from", known));
  }
  const Learned learned = learn(lesson_of(scene, options.seed, as_the_holes(scene)), options);
  return {inpaint(learned.model, image, mask, options.tiles), learned.progress,
          learned.stopped_early};
}

Adapted adapt_denoise(const Image& image, const AdaptOptions& options) {
  const Scene scene = scene_of(image, empty_mask(image.width, image.height));
  const Learned learned = learn(lesson_of(scene, options.seed, one_in_four()), options);
  Image result = image;
  for (int phase = 0; phase < 4; ++phase) {
    Image mask = empty_mask(image.width, image.height);
    for (int y = 0; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x) mask.row(y)[x] = is_in_phase(phase, y, x) ? 255 : 0;
    const Image filled = inpaint(learned.model, image, mask, options.tiles);
    const std::size_t bytes = filled.row_bytes() / static_cast<std::size_t>(filled.width);
    for (int y = 0; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x) {
        if (!is_in_phase(phase, y, x)) continue;
        const std::size_t at = static_cast<std::size_t>(x) * bytes;
        std::copy_n(filled.row(y) + at, bytes, result.row(y) + at);
      }
  }
  return {std::move(result), learned.progress, learned.stopped_early};
}

}  // namespace mend
