// Inpainting and denoising by what the picture itself shows: adapt.h.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "engine/error.h"
#include "restore/color.h"
#include "restore/mask.h"
#include "restore/restore.h"
#include "train/push_pull.h"
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

/// A window of the scene, with a first guess in its holes and where `is_hidden` says so.
template <class IsHidden>
Tensor guessed(const Scene& scene, int top, int left, int height, int width,
               const IsHidden& is_hidden) {
  const Tensor window = Tensor::zeros({1, height, width, 3});
  std::vector<std::uint8_t> known;
  for (int p = 0; p < height; ++p)
    for (int q = 0; q < width; ++q) {
      const int y = top + p, x = left + q;
      known.push_back(!scene.is_hole(y, x) && !is_hidden(y, x) ? 1 : 0);
      if (known.back() == 0) continue;
      std::copy_n(scene.picture.view<const float>().pixel(0, y, x), 3,
                  window.view<float>().pixel(0, p, q));
    }
  push_pull(window, known);
  return window;
}

/// The patch at (top, left) in place n of the pairs; the target is NaN where the network is not judged.
template <class RoleOf>
void fill(const Scene& scene, int top, int left, const Pairs& pairs, int n, const RoleOf& role_of) {
  const int side = pairs.input.shape().h;
  std::vector<std::uint8_t> hidden;
  for (int p = 0; p < side; ++p)
    for (int q = 0; q < side; ++q) {
      const int y = top + p, x = left + q;
      const Role role = role_of(y, x);
      hidden.push_back(role.hidden ? 1 : 0);
      const float* from = scene.picture.view<const float>().pixel(0, y, x);
      float* target = pairs.target.view<float>().pixel(n, p, q);
      for (int c = 0; c < 3; ++c) {
        target[c] = role.judged && !scene.is_hole(y, x) ? from[c] : kUnknown;
      }
    }
  const Tensor input = guessed(scene, top, left, side, side, [&](int y, int x) {
    return hidden[static_cast<std::size_t>((y - top) * side + x - left)] != 0;
  });
  std::copy_n(input.view<const float>().data, input.shape().elements(),
              pairs.input.view<float>().pixel(n, 0, 0));
}

Pairs empty_pairs(int count, int side) {
  return {Tensor::empty({count, side, side, 3}), Tensor::empty({count, side, side, 3})};
}

/// Up to `wanted`, as far as the picture can hold it.
int patch_side(const Scene& scene, int wanted) {
  return std::min({wanted, scene.height, scene.width});
}

/// Which pixels of a patch are hidden, drawn anew for each patch.
using Hide = std::function<std::function<bool(int y, int x)>(RandomStream& random)>;

Lesson lesson_of(const Scene& scene, std::uint64_t seed, const Hide& hide) {
  Lesson lesson;
  lesson.task = "restore";
  lesson.architecture = "dncnn";  // it begins close to its input, the first guess
  lesson.hyperparameters = {{"cls", "DnCNN"}, {"in_nc", 3}, {"out_nc", 3},
                            {"nc", 48},       {"nb", 9},    {"act_mode", "R"}};
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

/// Puts what the network makes of the scene, guessed where `is_hidden` says so, into those pixels of
/// `result` and into the scene's holes.
template <class IsHidden>
void predict(const Scene& scene, const Model& model, const TileOptions& tiles, Image& result,
             const IsHidden& is_hidden) {
  Image guess = make_image(scene.width, scene.height, 3, 32);
  store_float(guess, 0, 0, guessed(scene, 0, 0, scene.height, scene.width, is_hidden));
  RestoreOptions options;
  options.tiles = tiles;
  const Tensor made =
      window_to_float(restore(model, guess, options), 0, 0, scene.height, scene.width);
  Image everywhere = result;
  store_float(everywhere, 0, 0,
              result.colour_channels() == 1 ? luma(made, LumaRange::kFull) : made);
  const bool fills = std::ranges::find(scene.hole, 1) != scene.hole.end();
  if (fills && result.has_alpha()) {  // what was a hole is opaque now
    store_alpha_float(everywhere, 0, 0, Tensor::full({1, scene.height, scene.width, 1}, 1.0f));
  }
  const std::size_t bytes = result.row_bytes() / static_cast<std::size_t>(result.width);
  for (int y = 0; y < scene.height; ++y)
    for (int x = 0; x < scene.width; ++x) {
      if (!scene.is_hole(y, x) && !is_hidden(y, x)) continue;
      const std::size_t at = static_cast<std::size_t>(x) * bytes;
      std::copy_n(everywhere.row(y) + at, bytes, result.row(y) + at);
    }
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
  Adapted adapted{image, learned.progress, learned.stopped_early};
  predict(scene, learned.model, options.tiles, adapted.image, [](int, int) { return false; });
  return adapted;
}

Adapted adapt_denoise(const Image& image, const AdaptOptions& options) {
  const Scene scene = scene_of(image, empty_mask(image.width, image.height));
  const Learned learned = learn(lesson_of(scene, options.seed, one_in_four()), options);
  Adapted adapted{image, learned.progress, learned.stopped_early};
  for (int phase = 0; phase < 4; ++phase) {
    predict(scene, learned.model, options.tiles, adapted.image,
            [phase](int y, int x) { return is_in_phase(phase, y, x); });
  }
  return adapted;
}

}  // namespace mend
