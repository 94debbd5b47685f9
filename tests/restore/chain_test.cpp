// Several networks one after the other.
#include "restore/chain.h"

#include <doctest/doctest.h>

#include "layers/functions.h"
#include "tests/restore/make_images.h"
#include "tests/restore/own_model.h"
#include "tests/support/compare.h"

using namespace mend;
using namespace mend::test;

namespace {

/// scale · x + offset, enlarged by repeating pixels.
ChainStep affine_step(float scale, float offset, int enlarge = 1) {
  const Network forward = [=](const std::vector<Tensor>& inputs) {
    const Tensor y = affine(inputs[0], scale, offset);
    return std::vector<Tensor>{enlarge > 1 ? upsample_nearest(y, enlarge) : y};
  };
  ChainStep step{"test", own_model("affine", TilePolicy::kExactHalo, forward), {}};
  step.model.traits.scale = enlarge;
  return step;
}

}  // namespace

TEST_CASE("chain: nothing is rounded or clipped between the steps") {
  const Image image = pattern_image(23, 17, 3, 8);
  // Far below one grey level, and far above white: 8 bits in between would keep neither.
  const std::vector<ChainStep> faint = {affine_step(1e-4f, 0), affine_step(1e4f, 0)};
  CHECK(restore_in_steps(faint, image).bytes == image.bytes);
  const std::vector<ChainStep> bright = {affine_step(7, 3), affine_step(1 / 7.0f, -3 / 7.0f)};
  CHECK(restore_in_steps(bright, image).bytes == image.bytes);
}

TEST_CASE("chain: sizes follow the steps, and bits and alpha are the image's") {
  for (const int channels : {1, 2, 3, 4}) {
    for (const int bits : {8, 16}) {
      const Image image = pattern_image(9, 6, channels, bits);
      std::vector<RestoreReport> reports;
      const Image result = restore_in_steps(
          {affine_step(1, 0), affine_step(1, 0, 2), affine_step(1, 0)}, image, {}, &reports);
      CHECK(result.width == 18);
      CHECK(result.height == 12);
      CHECK(result.channels == channels);
      CHECK(result.bits == bits);
      CHECK(reports.size() == 3);
    }
  }
}

TEST_CASE("chain: progress never goes back and ends with everything done") {
  int last = 0, whole = 0;
  restore_in_steps({affine_step(1, 0), affine_step(1, 0, 2)}, pattern_image(30, 20, 3, 8),
                   [&](int done, int all) {
                     CHECK(done >= last);
                     last = done;
                     whole = all;
                   });
  CHECK(last == whole);
  CHECK(whole > 0);
}

TEST_CASE("image: f32 keeps what integers would round, and goes back to the same integers") {
  for (const int bits : {8, 16}) {
    const Image image = pattern_image(13, 7, 4, bits);
    const Image wide = with_bits(image, 32);
    CHECK(with_bits(wide, bits).bytes == image.bytes);
    CHECK(max_error(window_to_float(wide, 1, 2, 4, 5), window_to_float(image, 1, 2, 4, 5)) <= 0);
  }
  Image picture = make_image(1, 1, 3, 32);
  const float beyond[] = {-0.25f, 1.75f, 0.123456789f};
  store_float(picture, 0, 0, Tensor::from({1, 1, 1, 3}, beyond));
  CHECK(max_error(window_to_float(picture, 0, 0, 1, 1), Tensor::from({1, 1, 1, 3}, beyond)) <= 0);
}
