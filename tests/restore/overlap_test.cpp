// Networks whose receptive field is too wide for exact tiles: the error of the halo they chose.
#include <doctest/doctest.h>

#include "models/registry.h"
#include "restore/image_file.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

/// The largest difference, in grey levels, between the middle `core` pixels of a picture [1,h,w,3]
/// computed within the whole picture and within a window that reaches model.traits.overlap further.
double seam_error(const Model& model, const Tensor& picture, int core) {
  const auto run = [&](const Tensor& x) { return Plan(model.forward, {x.shape()})({x}).front(); };
  const int begin = (picture.shape().w - core) / 2, halo = model.traits.overlap;
  REQUIRE(begin > halo);  // else the window is the picture
  const int window = core + 2 * halo, scale = model.traits.scale;
  const Tensor whole = run(picture);
  const Tensor tile = run(picture.crop(begin - halo, begin - halo, window, window).clone());
  const int size = scale * core;
  return 255 * max_error(tile.crop(scale * halo, scale * halo, size, size).clone(),
                         whole.crop(scale * begin, scale * begin, size, size).clone())
                   .value;
}

/// A square from the middle of a photo with leaves, water and fine lines; REQUIREs that it is there.
Tensor photo(int side) {
  const Image image = read_image(shared_path("images/Kodak_6/kodim05.png"));
  return window_to_float(image, 100, 200, side, side);
}

constexpr double kHalfGreyLevel = 0.5;

}  // namespace

TEST_CASE(
    "overlap: the halo of RRDBNet keeps tiles within half a grey level of the whole picture") {
  if (!require_data(shared_path("images/Kodak_6/kodim05.png"))) return;
  for (const std::string name :
       {"x4_new_keys", "x4_old_keys", "x2_unshuffle", "x2_bsrgan_keys", "x1_unshuffle4"}) {
    CAPTURE(name);
    const std::string path = shared_path("goldens/rrdbnet/" + name + ".safetensors");
    if (!require_data(path)) continue;
    CHECK(seam_error(load_model(load_golden(path).weights), photo(160), 32) < kHalfGreyLevel);
  }
}

TEST_CASE("overlap: the halo holds for RRDBNet of full size") {
  if (!require_data(shared_path("images/Kodak_6/kodim05.png"))) return;
  for (const std::string name :
       {"RealESRGAN_x4plus_anime_6B", "RealESRGAN_x4plus", "RealESRGAN_x2plus"}) {
    CAPTURE(name);
    const std::string path = shared_path("goldens/rrdbnet/" + name + ".keys.json");
    if (!require_data(path)) continue;
    CHECK(seam_error(load_model(fill_checkpoint(path)), photo(104), 32) < kHalfGreyLevel);
  }
}
