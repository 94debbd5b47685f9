// One network for many pictures: what they share, and that nobody sees it.
#include <doctest/doctest.h>

#include "layers/functions.h"
#include "models/registry.h"
#include "restore/restore.h"
#include "tests/restore/make_images.h"
#include "tests/restore/own_model.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace mend::test {

TEST_CASE("Restorer: pictures of one size share a network's plans") {
  int traced = 0;
  Restorer restorer(own_model("halves", TilePolicy::kExactHalo, [&traced](const Tensors& given) {
    ++traced;
    return Tensors{0.5f * given[0]};
  }));
  const Image first = pattern_image(31, 24, 3, 8);
  Image second = first;
  for (std::uint8_t& byte : second.bytes) byte ^= 0x55;
  const auto is_as_alone = [&](const Image& image, const RestoreOptions& options) {
    const Image shared = restorer.restore(image, options);
    const int before = traced;
    const bool same = shared.bytes == restore(restorer.model(), image, options).bytes;
    traced = before;
    return same;
  };
  CHECK(is_as_alone(first, {}));
  const int once = traced;
  CHECK(once > 0);
  CHECK(is_as_alone(second, {}));
  CHECK(is_as_alone(first, {}));
  const int of_choosing = traced - once;  // tiles are chosen for each picture
  CHECK(of_choosing < 2 * once);
  RestoreOptions told;
  told.conditions.sigma = 0.1f;
  CHECK(is_as_alone(first, told));
  CHECK(is_as_alone(pattern_image(17, 40, 3, 8), {}));
}

TEST_CASE("Restorer: a picture is told its own noise and quality") {
  Restorer restorer(
      load_model(load_golden(data_path("goldens/fbcnn/gray_given_qf.safetensors")).weights));
  const Image image = pattern_image(64, 48, 1, 8);
  for (const float quality : {20.0f, 80.0f, 20.0f, 0.0f}) {
    CAPTURE(quality);
    RestoreOptions options;
    options.conditions.quality = quality;
    CHECK(restorer.restore(image, options).bytes ==
          restore(restorer.model(), image, options).bytes);
  }
}

}  // namespace mend::test
