#include "restore/niqe.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "engine/error.h"
#include "restore/image_file.h"
#include "restore/pseudo_inverse.h"
#include "tests/restore/make_images.h"
#include "tests/restore/metric_pictures.h"
#include "tests/support/paths.h"
#include "weights/checkpoint.h"

using namespace mend;
using namespace mend::test;

namespace {

/// The model of tests/restore/metrics_expected.py.
NiqeModel formula_model() {
  NiqeModel model{"formula", {}, std::vector<double>(36 * 36)};
  for (int i = 0; i < 36; ++i) {
    model.mean[i] = i % 3 == 0 ? 0.8 : 0.25;
    for (int j = 0; j < 36; ++j) {
      model.covariance[i * 36 + j] = (i == j ? 0.02 : 0) + 0.01 / (1 + std::abs(i - j));
    }
  }
  return model;
}

/// Scores of the 300 x 200 test pictures; `in_double`: by BasicSR's source with double for float.
struct Expected {
  int channels;
  double test, reference, test_in_double, reference_in_double;
};

void check_scores(const Expected& expected, const NiqeModel& model) {
  CAPTURE(expected.channels);
  const MetricPictures pair(300, 200, expected.channels);
  const double test = niqe(pair.test, model).value;
  const double reference = niqe(pair.reference, model).value;
  CHECK(std::abs(test / expected.test_in_double - 1) <= 1e-8);
  CHECK(std::abs(reference / expected.reference_in_double - 1) <= 1e-8);
  CHECK(std::abs(test / expected.test - 1) <= 1e-4);
  CHECK(std::abs(reference / expected.reference - 1) <= 1e-4);
}

}  // namespace

// BasicSR computes in f32, where a shape may fall on the neighbouring entry of its table, 0.001 away,
// and rounds a luma of exactly one half to even; the MATLAB code, and we, in double and upwards.
TEST_CASE("niqe: equals BasicSR 1.4.2 to 4 digits, in double to 8, with a model by a formula") {
  check_scores({1, 23.50760317412563, 22.430729446608375, 23.50760212075918, 22.430728912952837},
               formula_model());
  check_scores({3, 21.785145462202127, 21.472977887074283, 21.78514528702765, 21.473080007773948},
               formula_model());
}

TEST_CASE("niqe: equals BasicSR 1.4.2 to 4 digits, in double to 8, with the released model") {
  const std::string path = shared_path("weights/niqe_params/niqe_params.safetensors");
  if (!require_data(path)) return;
  const Checkpoint checkpoint = read_checkpoint(path);
  REQUIRE(has_niqe_model(checkpoint));
  const NiqeModel model = niqe_model_of(checkpoint);
  check_scores({1, 25.116857815482906, 29.600450492048328, 25.116856397082444, 29.600443383403668},
               model);
  check_scores({3, 19.598269856833326, 20.885743050266843, 19.598263398386198, 20.88574575443672},
               model);
  CHECK(
      niqe(MetricPictures(300, 200, 3).test, model, 2).protocol ==
      "NIQE (blocks of 96, model niqe_params.safetensors), Y (BT.601 limited, rounded), border 2");
}

TEST_CASE("niqe: photographs with areas of one colour score as in BasicSR 1.4.2 to 3 digits") {
  const std::string path = shared_path("weights/niqe_params/niqe_params.safetensors");
  if (!require_data(path)) return;
  const NiqeModel model = niqe_model_of(read_checkpoint(path));
  const std::pair<const char*, double> published[] = {{"baby", 3.2655013886170194},
                                                      {"bird", 4.362077177624837},
                                                      {"butterfly", 5.154879201955007},
                                                      {"head", 8.350490731428938},
                                                      {"woman", 4.388974987561771}};
  for (const auto& [name, score] : published) {
    const std::string picture = shared_path(fmt::format("images/Set5/HR/{}.png", name));
    if (!require_data(picture)) return;
    CAPTURE(name);
    CHECK(std::abs(niqe(read_image(picture), model).value / score - 1) <= 2e-4);
  }
}

TEST_CASE("niqe: small and flat pictures are refused") {
  const NiqeModel model = formula_model();
  CHECK_THROWS_AS(niqe(pattern_image(95, 400, 3, 8), model), ShapeError);
  CHECK_THROWS_AS(niqe(pattern_image(100, 100, 3, 8), model), ShapeError);  // one block
  CHECK_NOTHROW(niqe(pattern_image(192, 96, 1, 8), model));
  CHECK_THROWS_AS(niqe(pattern_image(192, 96, 1, 8), model, 1), ShapeError);
  CHECK_THROWS_AS(niqe(make_image(300, 300, 3, 8), model), ShapeError);
}

TEST_CASE("niqe: a model that is fitted, written and read again gives the same score") {
  std::vector<NiqeFeatures> blocks;
  CHECK_THROWS_AS(fit_niqe_model(blocks, "none"), InputError);
  for (const int size : {480, 960}) {
    const MetricPictures pair(size, 480, 1);
    for (const NiqeFeatures& block : pristine_blocks(pair.reference)) blocks.push_back(block);
  }
  REQUIRE(blocks.size() > 36);
  const NiqeModel fitted = fit_niqe_model(blocks, "waves");
  const TemporaryFolder folder;
  write_niqe_model(folder / "waves.safetensors", fitted);
  const NiqeModel read = niqe_model_of(read_checkpoint(folder / "waves.safetensors"));
  CHECK(read.mean == fitted.mean);
  CHECK(read.covariance == fitted.covariance);
  CHECK(read.name == "waves.safetensors");
  const MetricPictures pair(480, 480, 1);
  CHECK(niqe(pair.test, read).value == niqe(pair.test, fitted).value);
  CHECK(niqe(pair.reference, fitted).value < niqe(pair.test, fitted).value);
}

TEST_CASE("niqe: a model's blocks are those above 0.75 of the sharpest") {
  Image half_blurred = MetricPictures(192, 96, 1).reference;
  for (int y = 0; y < 96; ++y)
    for (int x = 0; x < 96; ++x) half_blurred.row(y)[x] = static_cast<std::uint8_t>(128 + x % 3);
  CHECK(pristine_blocks(half_blurred).size() == 1);
  CHECK(pristine_blocks(MetricPictures(192, 96, 1).reference).size() == 2);
}

TEST_CASE("niqe: a file that is no model is refused") {
  Checkpoint checkpoint;
  checkpoint.path = "x.safetensors";
  CHECK(!has_niqe_model(checkpoint));
  checkpoint.tensors["mu_pris_param"] = make_stored_tensor({36}, std::vector<float>(36));
  CHECK_THROWS_AS(niqe_model_of(checkpoint), CheckpointError);
}

TEST_CASE("pseudo-inverse: inverts a full matrix, and leaves out the null space of another") {
  const std::vector<double> full = {4, 1, 0.5, 1, 3, -0.2, 0.5, -0.2, 1e-3};
  const std::vector<double> inverse = pseudo_inverse(full, 3);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      double sum = 0;
      for (int k = 0; k < 3; ++k) sum += full[i * 3 + k] * inverse[k * 3 + j];
      CHECK(std::abs(sum - (i == j)) <= 1e-12);
    }
  }
  // v vᵀ of v = (1, 2): its pseudo-inverse is v vᵀ / 25.
  const std::vector<double> rank_one = pseudo_inverse({1, 2, 2, 4}, 2);
  const double expected[] = {0.04, 0.08, 0.08, 0.16};
  for (int i = 0; i < 4; ++i) CHECK(std::abs(rank_one[i] - expected[i]) <= 1e-15);
}
