// No seam shows where tiles meet: published networks, tiled and whole, on a photo.
//
//   d = tiled − whole, in grey levels;   a step: |d(p) − d(q)| of neighbouring pixels p, q
//
// Two measures, each at borders of tiles (across them and within the ramps on both sides) and inside
// tiles: the largest step of all, and the largest mean over a line of the image, which is what an
// eye sees of a border and which a single odd pixel does not hide.
//
// The weights are random, of the published shapes. As they are filled, networks with statistics
// amplify whatever statistics say until nothing of the photo is left, so branches that are added to
// their input are scaled by kCalm; then what a network adds to the photo is scaled to kChange grey
// levels, as a trained restorer's is.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/registry.h"
#include "restore/image_file.h"
#include "restore/tiled_network.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"
#include "weights/checkpoint.h"

using namespace mend;
using namespace mend::test;

namespace {

constexpr double kChange = 10;  // root mean square
constexpr float kCalm = 0.1f;
constexpr double kHalfGreyLevel = 0.5;
const char* const kPhoto = "images/Kodak_6/kodim05.png";

struct Steps {
  double most = 0;       // the largest
  double most_mean = 0;  // the largest mean over a row or column
};
struct Seam {
  Steps at_borders, inside;
  double apart = 0;  // the largest |d|
};

bool near(int at, const std::vector<int>& borders, int reach) {
  return std::any_of(borders.begin(), borders.end(),
                     [&](int border) { return at >= border - reach && at <= border + reach; });
}

/// `scale`: output pixels per input pixel; `levels`: grey levels per unit of output.
Seam seam_of(const Tensor& tiled, const Tensor& whole, const std::vector<Tile>& tiles, int blend,
             int scale, double levels) {
  std::vector<int> rows, columns;
  for (const Tile& tile : tiles) {
    if (tile.core.y > 0) rows.push_back(tile.core.y * scale);
    if (tile.core.x > 0) columns.push_back(tile.core.x * scale);
  }
  const View<const float> a = tiled.view<const float>(), b = whole.view<const float>();
  const auto d = [&](int h, int w, int c) {
    return levels * (static_cast<double>(a(0, h, w, c)) - b(0, h, w, c));
  };
  Seam seam;
  const auto count = [&seam](bool at_border, double most, double mean) {
    Steps& steps = at_border ? seam.at_borders : seam.inside;
    steps.most = std::max(steps.most, most);
    steps.most_mean = std::max(steps.most_mean, mean);
  };
  const int height = a.shape.h, width = a.shape.w, channels = a.shape.c;
  for (int h = 0; h < height; ++h) {
    double most = 0, sum = 0;
    for (int w = 0; w < width; ++w) {
      for (int c = 0; c < channels; ++c) {
        seam.apart = std::max(seam.apart, std::abs(d(h, w, c)));
        const double step = h > 0 ? std::abs(d(h, w, c) - d(h - 1, w, c)) : 0;
        most = std::max(most, step);
        sum += step;
      }
    }
    count(near(h, rows, blend * scale), most, sum / (width * channels));
  }
  for (int w = 1; w < width; ++w) {
    double most = 0, sum = 0;
    for (int h = 0; h < height; ++h) {
      for (int c = 0; c < channels; ++c) {
        const double step = std::abs(d(h, w, c) - d(h, w - 1, c));
        most = std::max(most, step);
        sum += step;
      }
    }
    count(near(w, columns, blend * scale), most, sum / (height * channels));
  }
  return seam;
}

/// Grey levels per unit of output that make the root mean square of `y` kChange.
double levels_of(const Tensor& y, const Tensor& x) {
  const View<const float> a = y.view<const float>(), b = x.view<const float>();
  const int scale = a.shape.h / b.shape.h;
  double sum = 0;
  for (int h = 0; h < a.shape.h; ++h) {
    for (int w = 0; w < a.shape.w; ++w) {
      for (int c = 0; c < a.shape.c; ++c) {
        const double change = static_cast<double>(a(0, h, w, c)) - b(0, h / scale, w / scale, c);
        sum += change * change;
      }
    }
  }
  return kChange / std::sqrt(sum / static_cast<double>(y.shape().elements()));
}

/// The weights of a manifest, with those scaled whose key ends in one of `branches`.
Checkpoint calm_checkpoint(const std::string& keys, const std::vector<std::string>& branches) {
  Checkpoint checkpoint = fill_checkpoint(keys);
  for (auto& [key, stored] : checkpoint.tensors) {
    for (const std::string& branch : branches) {
      if (!key.ends_with(branch)) continue;
      std::vector<float> values = stored.to_f32();
      for (float& value : values) value *= kCalm;
      stored = make_stored_tensor(stored.shape, values);
    }
  }
  return checkpoint;
}

/// The steps of a network on height x width pixels of the photo, in tiles of `core`.
Seam seam_in_tiles(const Checkpoint& checkpoint, int height, int width, int core) {
  const Model model = load_model(checkpoint);
  const Tensor x = window_to_float(read_image(shared_path(kPhoto)), 0, 0, height, width);
  const TileableNetwork network = {.network = model.forward,
                                   .overlap = model.traits.overlap,
                                   .local = model.local.forward,
                                   .local_name = model.local.name};
  // In tiles the local variant runs, so what a seam is has to be told from it.
  const Network& as_tiled = model.local.forward ? model.local.forward : model.forward;
  const Tensor whole = Plan(as_tiled, {x.shape()})({x}).front();
  const Tensor tiled = Tensor::empty(whole.shape());
  TileOptions options;
  options.mode = TileOptions::Mode::kFixed;
  options.size = core;
  const Tiling tiling = TiledNetwork(network).run(
      height, width, options,
      [&](const Rectangle& from, const Tensor& to) {
        const View<const float> pixels = x.crop(from.y, from.x, from.h, from.w).view<const float>();
        for (int h = 0; h < from.h; ++h) {
          std::copy_n(pixels.pixel(0, h, 0), 3 * from.w, to.view<float>().pixel(0, h, 0));
        }
      },
      [&](const Rectangle& output, const Tensor& pixels) {
        const View<const float> from = pixels.view<const float>();
        for (int h = 0; h < output.h; ++h) {
          std::copy_n(from.pixel(0, h, 0), 3 * output.w,
                      tiled.view<float>().pixel(0, output.y + h, output.x));
        }
      });
  const std::vector<Tile> tiles = cut_tiles(height, width, tiling.cut);
  REQUIRE(tiles.size() >= 3);
  REQUIRE_FALSE(tiling.exact);
  const Seam seam =
      seam_of(tiled, whole, tiles, tiling.cut.blend, model.traits.scale, levels_of(whole, x));
  MESSAGE(fmt::format(
      "{}: {} tiles, halo {}, blended over {}; steps in grey levels at borders and "
      "inside: {:.4f}, {:.4f}; means over a line: {:.4f}, {:.4f}; apart {:.4f}",
      model.name, tiles.size(), tiling.cut.halo, 2 * tiling.cut.blend, seam.at_borders.most,
      seam.inside.most, seam.at_borders.most_mean, seam.inside.most_mean, seam.apart));
  return seam;
}

}  // namespace

TEST_CASE("seam: SwinIR-light x2 in tiles has none") {
  const std::string keys =
      shared_path("goldens/swinir/002_lightweightSR_DIV2K_s64w8_SwinIR-S_x2.keys.json");
  if (!require_data(keys) || !require_data(shared_path(kPhoto))) return;
  const Seam seam = seam_in_tiles(fill_checkpoint(keys), 128, 256, 96);
  CHECK(seam.at_borders.most < 0.1);
  CHECK(seam.apart < 0.1);
}

TEST_CASE("seam: Restormer in tiles has none") {
  const std::string keys = shared_path("goldens/restormer/motion_deblurring.keys.json");
  if (!require_data(keys) || !require_data(shared_path(kPhoto))) return;
  const Seam seam = seam_in_tiles(calm_checkpoint(keys, {"project_out.weight"}), 128, 384, 128);
  // Windows of 256 have other statistics than the photo, so results differ by levels everywhere, but
  // not more at borders: cut hard instead of blended, the mean is 0.28 there and 0.25 inside.
  CHECK(seam.at_borders.most < seam.inside.most);
  CHECK(seam.at_borders.most_mean < seam.inside.most_mean);
}

TEST_CASE("seam: NAFNet-width32 in tiles, where its local variant runs, has none") {
  const std::string keys = shared_path("goldens/nafnet/NAFNet-GoPro-width32.keys.json");
  if (!require_data(keys) || !require_data(shared_path(kPhoto))) return;
  const Seam seam = seam_in_tiles(calm_checkpoint(keys, {".beta", ".gamma"}), 448, 640, 320);
  CHECK(seam.at_borders.most < kHalfGreyLevel);
  CHECK(seam.at_borders.most_mean < seam.inside.most_mean);
}
