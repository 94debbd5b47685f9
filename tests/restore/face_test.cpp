// Faces: where they are, their way to the template and back, and what stays as it is.
#include "restore/face.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/error.h"
#include "layers/functions.h"
#include "restore/face_detector.h"
#include "tests/restore/make_images.h"
#include "tests/restore/own_model.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

FacePoints moved(const FacePoints& points, const Similarity& by) {
  FacePoints result;
  for (std::size_t i = 0; i < points.size(); ++i) result[i] = by(points[i]);
  return result;
}

Similarity turned(double degrees, double scale, double x, double y) {
  const double angle = degrees * std::acos(-1.0) / 180;
  return {scale * std::cos(angle), scale * std::sin(angle), x, y};
}

/// A face network that gives back what it gets, or with `change` its negative.
Model identity_network(int size, bool change = false) {
  Model model =
      own_model("Identity()", TilePolicy::kWholeImage, [change](const std::vector<Tensor>& inputs) {
        return std::vector<Tensor>{affine(inputs[0], change ? -1.0f : 1.0f, 0)};
      });
  model.traits.tasks = {"face"};
  model.traits.working_size = size;
  model.traits.black = -1;
  return model;
}

int worst_difference(const Image& a, const Image& b) {
  int worst = 0;
  for (std::size_t i = 0; i < a.bytes.size(); ++i) {
    worst = std::max(worst, std::abs(int{a.bytes[i]} - int{b.bytes[i]}));
  }
  return worst;
}

}  // namespace

TEST_CASE("face: a similarity is recovered exactly, and its inverse brings points back") {
  for (const double degrees : {0.0, 10.0, -90.0, 175.0}) {
    const Similarity known = turned(degrees, 0.37, -15, 220);
    const FacePoints pose = face_template(512);
    const Similarity found = fit_similarity(pose, moved(pose, known));
    CHECK(found.a == doctest::Approx(known.a).epsilon(1e-12));
    CHECK(found.b == doctest::Approx(known.b).epsilon(1e-12));
    CHECK(found.x0 == doctest::Approx(known.x0).epsilon(1e-9));
    CHECK(found.y0 == doctest::Approx(known.y0).epsilon(1e-9));
    const Point there = known.inverse()(known({12, 34}));
    CHECK(there.x == doctest::Approx(12));
    CHECK(there.y == doctest::Approx(34));
    const Similarity both = known.then(turned(20, 2, 1, 2));
    const Point once = both({3, 4}), twice = turned(20, 2, 1, 2)(known({3, 4}));
    CHECK(once.x == doctest::Approx(twice.x));
    CHECK(once.y == doctest::Approx(twice.y));
  }
}

TEST_CASE("face: of points that no similarity brings to the template the squares are least") {
  FacePoints points = face_template(512);
  points[2].x += 9;  // the nose of a face in half profile
  const FacePoints pose = face_template(512);
  const auto squares = [&](const Similarity& s) {
    double sum = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const Point p = s(points[i]);
      sum += std::pow(p.x - pose[i].x, 2) + std::pow(p.y - pose[i].y, 2);
    }
    return sum;
  };
  const Similarity found = fit_similarity(points, pose);
  for (const double step : {-1e-3, 1e-3}) {
    CHECK(squares({found.a + step, found.b, found.x0, found.y0}) > squares(found));
    CHECK(squares({found.a, found.b + step, found.x0, found.y0}) > squares(found));
    CHECK(squares({found.a, found.b, found.x0 + step, found.y0}) > squares(found));
    CHECK(squares({found.a, found.b, found.x0, found.y0 + step}) > squares(found));
  }
}

TEST_CASE("face: points that are no face are refused") {
  FacePoints same;
  same.fill({40, 40});
  CHECK_THROWS_AS(fit_similarity(same, face_template(512)), UsageError);
  FacePoints infinite = face_template(512);
  infinite[0].x = INFINITY;
  CHECK_THROWS_AS(fit_similarity(infinite, face_template(512)), UsageError);
}

TEST_CASE("face: warp reads between pixels, and the border outside") {
  const Tensor x = Tensor::from({1, 2, 2, 1}, std::vector<float>{0, 1, 2, 3});
  // Half a pixel to the left and up: the result's (0,0) lies between all four.
  const Tensor y = warp(x, {1, 0, -0.5, -0.5}, {0, 0, 2, 3}, {7});
  const std::vector<float> expected = {
      1.5f, (1 + 3 + 2 * 7) / 4.0f, 7, (2 + 3 + 2 * 7) / 4.0f, (3 + 3 * 7) / 4.0f, 7};
  CHECK(max_error(y, Tensor::from({1, 2, 3, 1}, expected)) <= 1e-6);
}

TEST_CASE("face: warp of a window is the window of the warp") {
  const Image image = pattern_image(60, 50, 3, 8);
  const Tensor x = window_to_float(image, 0, 0, 50, 60);
  const Similarity transform = turned(33, 1.3, 10, -4);
  const Tensor whole = warp(x, transform, {0, 0, 80, 90}, {0, 0, 0});
  const Tensor part = warp(x, transform, {11, 7, 30, 40}, {0, 0, 0});
  CHECK(max_error(part, whole.crop(11, 7, 30, 40).clone()) <= 0);
}

TEST_CASE("face: an identity network changes a smooth photo by a grey level, only at the face") {
  const Image image = smooth_image(300, 240, 3);
  const Similarity place = turned(15, 0.3, 70, 10);  // of the template in the photo
  const FacePoints face = moved(face_template(512), place);
  FaceRestorer same(identity_network(512));
  CHECK(worst_difference(same.restore_faces(image, {face}, {}), image) <= 1);

  FaceRestorer negative(identity_network(512, true));
  const Image result = negative.restore_faces(image, {face}, {});
  CHECK(result.bytes != image.bytes);
  const Similarity back = place.inverse();
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      const Point p = back({double(x), double(y)});
      const bool inside = p.x > -1 && p.x < 512 && p.y > -1 && p.y < 512;
      const auto red = [&](const Image& of) { return int{of.row(y)[3 * x]}; };
      if (!inside && red(result) != red(image)) FAIL_CHECK("changed outside: ", x, ",", y);
      const bool in_the_middle = std::abs(p.x - 256) < 150 && std::abs(p.y - 256) < 150;
      if (in_the_middle && std::abs(red(result) - (255 - red(image))) > 1) {
        FAIL_CHECK("not replaced: ", x, ",", y);
      }
    }
}

TEST_CASE("face: gray stays gray, alpha stays, and a face at the edge is filled up with gray") {
  FaceRestorer negative(identity_network(64, true));
  const FacePoints face = moved(face_template(64), turned(0, 1, -20, -10));  // partly outside
  for (const int channels : {1, 2, 4}) {
    const Image image = pattern_image(80, 70, channels, 16);
    const Image result = negative.restore_faces(image, {face}, {});
    CHECK(result.channels == channels);
    CHECK(result.bits == 16);
    if (image.has_alpha()) {
      CHECK(max_error(alpha_to_float(result, 0, 0, 70, 80), alpha_to_float(image, 0, 0, 70, 80)) <=
            0);
    }
  }
  const FacePoints far = moved(face_template(64), turned(0, 1, 5000, 0));
  const Image image = pattern_image(80, 70, 3, 8);
  CHECK(negative.restore_faces(image, {far}, {}).bytes == image.bytes);
  CHECK(negative.restore_faces(image, {}, {}).bytes == image.bytes);
}

TEST_CASE("face: an enlarged photo has the face at the enlarged place") {
  const Image image = smooth_image(120, 100, 3);
  FaceRestorer same(identity_network(64));
  const FacePoints face = moved(face_template(64), turned(0, 1, 25, 15));
  const Image large = same.restore_faces(image, {face}, {}, 2);
  CHECK(large.width == 240);
  CHECK(large.height == 200);
  CHECK(worst_difference(large, same.restore_faces(image, {}, {}, 2)) <= 2);
}

TEST_CASE("face: the soft mask is 1 inside, 0 at the rim and never outside the face") {
  const Similarity place{1, 0, 10, 20};
  const Rectangle window = reached(place, 200, 400, 400);
  const PasteMask mask = paste_mask(place, 200, window);
  const View<const float> soft = mask.soft.view<const float>(),
                          face = mask.face.view<const float>();
  // 199² pixels are left of the square: the edge is 199 / 20 = 9 pixels wide, eroded and blurred.
  const auto at = [&](const View<const float>& of, int y, int x) {
    return of(0, y - window.y, x - window.x, 0);
  };
  CHECK(at(face, 20, 100) == 0);  // OpenCV's erosion by 2 x 2 takes the first row and column
  CHECK(at(face, 21, 100) == 1);
  CHECK(at(face, 219, 100) == 1);
  CHECK(at(face, 220, 100) == 0);
  CHECK(at(soft, 120, 110) == doctest::Approx(1));
  CHECK(at(soft, 120, 11 + 18) == doctest::Approx(1));
  CHECK(at(soft, 120, 11 + 9) == doctest::Approx(0.5).epsilon(0.2));
  CHECK(at(soft, 120, 11) < 0.01f);
  for (int y = 0; y < window.h; ++y)
    for (int x = 0; x < window.w; ++x)
      CHECK_FALSE((face(0, y, x, 0) == 0 && soft(0, y, x, 0) > 0.01f));
}

TEST_CASE("face: a face that fills the photo has an edge in it all the same") {
  const Image image = smooth_image(64, 64, 3);
  FaceRestorer negative(identity_network(64, true));
  const Image result = negative.restore_faces(image, {face_template(64)}, {});
  CHECK(std::abs(result.row(32)[3 * 32] - (255 - image.row(32)[3 * 32])) <= 1);
}

TEST_CASE("face: an aligned face is resized to the network's size") {
  FaceRestorer same(identity_network(64));
  const Image image = smooth_image(64, 64, 4);
  CHECK(worst_difference(same.restore_aligned(image, {}), image) <= 1);
  const Image small = same.restore_aligned(smooth_image(30, 30, 1), {});
  CHECK(small.width == 64);
  CHECK(small.channels == 1);
  Model other = identity_network(64);
  other.traits.tasks = {"denoise"};
  CHECK_THROWS_AS(FaceRestorer{other}, UsageError);
}

TEST_CASE("face detector: boxes and points are those that facexlib decodes") {
  const Golden golden = load_golden(data_path("goldens/retinaface/tiny.full.safetensors"));
  std::vector<Tensor> outputs;
  for (const std::string name : {"loc", "conf", "landmarks"}) {
    for (const char* step : {"8", "16", "32"}) outputs.push_back(golden.at(name + step));
  }
  const std::vector<DetectedFace> faces =
      decode_faces(outputs, {.confidence = 0.6, .eye_distance = 0});
  const View<const float> expected = golden.at("faces").view<const float>();
  REQUIRE(static_cast<int>(faces.size()) == expected.shape.w);
  REQUIRE(faces.size() > 1);
  for (int i = 0; i < expected.shape.w; ++i) {
    const DetectedFace& face = faces[static_cast<std::size_t>(i)];
    const float* row = expected.pixel(0, 0, i);
    const double found[] = {face.left, face.top, face.right, face.bottom, face.score};
    for (int k = 0; k < 5; ++k) CHECK(std::abs(found[k] - row[k]) <= 1e-3);
    for (std::size_t k = 0; k < 5; ++k) {
      CHECK(std::abs(face.points[k].x - row[5 + 2 * k]) <= 1e-3);
      CHECK(std::abs(face.points[k].y - row[6 + 2 * k]) <= 1e-3);
    }
  }
  CHECK(decode_faces(outputs, {.confidence = 0.6, .eye_distance = 1000}).empty());
  CHECK(decode_faces(outputs, {.confidence = 1}).empty());
  const auto surest = decode_faces(outputs, {.confidence = 0.6, .eye_distance = 0, .most = 2});
  REQUIRE(surest.size() == 2);
  CHECK(surest[1].score == faces[1].score);
  outputs.pop_back();
  CHECK_THROWS_AS(decode_faces(outputs), ShapeError);
}
