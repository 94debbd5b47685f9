// JPEG networks that find the quality themselves, in one piece and in tiles.
#include <doctest/doctest.h>

#include "models/registry.h"
#include "restore/image_file.h"
#include "restore/restore.h"
#include "tests/restore/make_images.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

Model fbcnn() {
  return load_model(load_golden(data_path("goldens/fbcnn/gray_given_qf.safetensors")).weights);
}

RestoreOptions in_tiles() {
  RestoreOptions options;
  options.tiles.mode = TileOptions::Mode::kFixed;
  options.tiles.size = 64;
  return options;
}

}  // namespace

TEST_CASE("restore: all tiles of a blind JPEG network are told the same quality") {
  const Model model = fbcnn();
  const Image image = pattern_image(900, 200, 1, 8);
  RestoreReport report;
  const Image tiled = restore(model, image, in_tiles(), &report);
  CHECK(!report.tiling.whole());
  CHECK(report.tiling.exact);  // nothing of the whole image is left to decide
  CHECK(report.quality >= 1);
  RestoreOptions told;
  told.conditions.quality = report.quality;
  told.tiles.mode = TileOptions::Mode::kOff;
  CHECK(restore(model, image, told).bytes == tiled.bytes);
}

TEST_CASE("restore: the quality of the file, if it was a JPEG, or the one that is given") {
  const Model model = fbcnn();
  const auto bytes = encode_image(smooth_image(64, 48, 1), ImageFormat::kJpeg, {.quality = 35});
  const Image jpeg = decode_image(bytes, "test");
  RestoreOptions options;
  options.quality_of_file = true;
  RestoreReport report;
  const Image by_file = restore(model, jpeg, options, &report);
  CHECK(report.quality == 35);
  RestoreOptions given;
  given.conditions.quality = 35;
  CHECK(restore(model, jpeg, given).bytes == by_file.bytes);
  restore(model, smooth_image(64, 48, 1), options, &report);
  CHECK(report.quality == 0);  // no JPEG: blind
}
