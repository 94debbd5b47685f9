#include "restore/lpips.h"

#include <doctest/doctest.h>

#include <cmath>
#include <utility>

#include "engine/error.h"
#include "engine/parallel.h"
#include "tests/restore/filled_lpips.h"
#include "tests/restore/metric_pictures.h"

using namespace mend;
using namespace mend::test;

TEST_CASE("lpips: AlexNet equals lpips 0.1.4 to 6 places") {
  const LpipsNetwork network = load_lpips(filled_alexnet());
  const MetricPictures pair(70, 66, 3);
  const Score score = lpips(pair.test, pair.reference, network);
  CHECK(std::abs(score.value - 0.02771570533514023) <= 5e-7);
  CHECK(score.protocol == "LPIPS (v0.1, AlexNet), RGB, 8 bit, border 0");
}

TEST_CASE("lpips: VGG16 equals lpips 0.1.4 to 6 places") {
  const LpipsNetwork network = load_lpips(filled_vgg16());
  const MetricPictures pair(70, 66, 3);
  const Score score = lpips(pair.test, pair.reference, network);
  CHECK(std::abs(score.value - 0.03335673734545708) <= 5e-7);
  CHECK(score.protocol == "LPIPS (v0.1, VGG16), RGB, 8 bit, border 0");
}

TEST_CASE("lpips: equal pictures differ by 0, the border is left out, threads change nothing") {
  const LpipsNetwork network = load_lpips(filled_alexnet());
  const MetricPictures pair(60, 50, 3);
  CHECK(lpips(pair.test, pair.test, network).value == 0);
  Image framed = pair.test;
  for (int x = 0; x < 60 * 3; ++x) framed.row(0)[x] ^= 0xFF;
  CHECK(lpips(framed, pair.test, network).value > 0);
  CHECK(lpips(framed, pair.test, network, 1).value == 0);
  const MetricPictures gray(60, 50, 1);
  Image neutral = make_image(60, 50, 3, 8);
  for (std::size_t i = 0; i < neutral.bytes.size(); ++i) {
    neutral.bytes[i] = gray.test.bytes[i / 3];
  }
  CHECK(lpips(gray.test, neutral, network).value == 0);
  const int before = threads();
  set_threads(1);
  const double alone = lpips(pair.test, pair.reference, network).value;
  set_threads(2);
  CHECK(lpips(pair.test, pair.reference, network).value == alone);
  set_threads(before);
}

TEST_CASE("lpips: 31 pixels a side are the least for AlexNet") {
  const LpipsNetwork network = load_lpips(filled_alexnet());
  const MetricPictures least(31, 31, 3), less(30, 31, 3);
  CHECK(lpips(least.test, least.reference, network).value > 0);
  CHECK_THROWS_AS(lpips(less.test, less.reference, network), ShapeError);
}

TEST_CASE("lpips: weights that are missing or of another network are named") {
  CHECK_THROWS_WITH_AS(load_lpips(filled_lpips(kAlexNet, {})),
                       doctest::Contains("lin0.model.1.weight"), CheckpointError);
  CHECK_THROWS_WITH_AS(load_lpips(filled_lpips({}, {64, 192, 384, 256, 256})),
                       doctest::Contains("torchvision's AlexNet"), CheckpointError);
  CHECK_THROWS_WITH_AS(load_lpips(filled_lpips(kAlexNet, {64, 128, 256, 512, 512})),
                       doctest::Contains("lin1.model.1.weight"), CheckpointError);
  Checkpoint with_classifier = filled_alexnet();
  with_classifier.tensors["classifier.1.weight"] = make_stored_tensor({1}, std::vector<float>{1});
  CHECK_NOTHROW(load_lpips(std::move(with_classifier)));
  Checkpoint deeper = filled_alexnet();
  deeper.tensors["features.12.weight"] = make_stored_tensor({1}, std::vector<float>{1});
  CHECK_THROWS_WITH_AS(load_lpips(std::move(deeper)), doctest::Contains("features.12.weight"),
                       CheckpointError);
}
