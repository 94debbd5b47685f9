// mend compare: metrics by name, folders, and the weights that some metrics need.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/restore/filled_lpips.h"
#include "tests/restore/metric_pictures.h"
#include "weights/safetensors.h"

using namespace mend;
using namespace mend::test;

namespace {

using Json = nlohmann::json;

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

/// test.png and reference.png.
struct Two {
  TemporaryFolder folder;
  std::string test = folder / "test.png", reference = folder / "reference.png";

  explicit Two(int width = 208, int height = 176, int channels = 3) {
    const MetricPictures pair(width, height, channels);
    write_image(test, pair.test);
    write_image(reference, pair.reference);
  }
};

}  // namespace

TEST_CASE("mend compare: metrics come in the order of the request, each with its protocol") {
  const Two two;
  const Finished run = mend_run({"compare", two.test, "--metric", "ms-ssim,delta-e", "--metric",
                                 "ssim-skimage", two.reference, "--json"});
  CAPTURE(run.err);
  CHECK(run.code == 0);
  const std::vector<Json> lines = lines_of(run.out);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].at("metric") == "MS-SSIM");
  CHECK(std::abs(lines[0].at("value").get<double>() - 0.9935067680752775) <= 5e-7);
  CHECK(lines[1].at("metric") == "dE2000");
  CHECK(lines[1].at("protocol").get<std::string>().find("CIEDE2000") != std::string::npos);
  CHECK(lines[2].at("metric") == "SSIM-7x7");
}

TEST_CASE("mend compare: without --metric PSNR and SSIM are told, and PSNR-B of one channel") {
  const Two colour, gray(40, 30, 1);
  CHECK(lines_of(mend_run({"compare", colour.test, colour.reference, "--json"}).out).size() == 2);
  const auto of_gray = lines_of(mend_run({"compare", gray.test, gray.reference, "--json"}).out);
  REQUIRE(of_gray.size() == 3);
  CHECK(of_gray[2].at("metric") == "PSNR-B");
}

TEST_CASE("mend compare: pictures of two folders go together by name, and the mean is last") {
  const TemporaryFolder folder;
  const std::string tests = folder / "tests", references = folder / "references";
  std::filesystem::create_directory(tests);
  std::filesystem::create_directory(references);
  for (const int width : {40, 50}) {
    const MetricPictures pair(width, 30, 3);
    const std::string name = "/" + std::to_string(width);
    write_image(tests + name + ".png", pair.test);
    write_image(references + name + ".bmp", pair.reference);
  }
  write_image(references + "/60.png", MetricPictures(60, 30, 3).reference);
  const std::vector<std::string> command = {"compare",  tests,  references,
                                            "--metric", "psnr", "--json"};
  const std::vector<Json> lines = lines_of(mend_run(command).out);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].at("of") == tests + "/40.png");
  CHECK(lines[2].at("of") == "mean of 2");
  CHECK(lines[2].at("value").get<double>() ==
        doctest::Approx((lines[0].at("value").get<double>() + lines[1].at("value").get<double>()) /
                        2));

  write_image(references + "/50.bmp", MetricPictures(51, 30, 3).reference);
  const Finished some = mend_run(command);
  CHECK(some.code == 1);
  REQUIRE(some.errors().size() == 1);
  CHECK(some.errors()[0].find("50.png") != std::string::npos);
  CHECK(lines_of(some.out).back().at("of") == "mean of 1");

  write_image(tests + "/70.png", MetricPictures(70, 30, 3).test);
  CHECK(mend_run(command).code == 3);
  CHECK(mend_run({"compare", tests, references + "/60.png"}).code == 2);
}

TEST_CASE("mend compare: niqe needs a model, which --fit-niqe makes, and no reference") {
  const TemporaryFolder folder;
  const std::string photographs = folder / "photographs", model = folder / "niqe.safetensors";
  std::filesystem::create_directory(photographs);
  for (const int width : {480, 960}) {
    write_image(photographs + "/" + std::to_string(width) + ".png",
                MetricPictures(width, 480, 1).reference);
  }
  const std::string picture = photographs + "/480.png";
  CHECK(mend_run({"compare", picture, "--metric", "niqe"}).code == 2);
  CHECK(mend_run({"compare", picture, "--metric", "niqe,psnr", "-w", model}).code == 2);
  CHECK(mend_run({"compare", picture, "--fit-niqe", model}).code == 3);  // too few blocks
  const Finished fit = mend_run({"compare", photographs, "--fit-niqe", model});
  CAPTURE(fit.err);
  REQUIRE(fit.code == 0);
  const Finished run = mend_run({"compare", picture, "--metric", "niqe", "-w", model, "--json"});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  const Json line = lines_of(run.out).at(0);
  CHECK(line.at("value").get<double>() > 0);
  CHECK(line.at("protocol").get<std::string>().find("model niqe.safetensors") != std::string::npos);
}

TEST_CASE("mend compare: lpips takes its network and its heads from two files") {
  const Two two(70, 66);
  std::map<std::string, StoredTensor> trunk, heads;
  for (const auto& [key, tensor] : filled_alexnet().tensors) {
    (key.starts_with("lin") ? heads : trunk)[key] = tensor;
  }
  const std::string of_trunk = two.folder / "alexnet.safetensors";
  const std::string of_heads = two.folder / "heads.safetensors";
  write_safetensors(of_trunk, trunk, {});
  write_safetensors(of_heads, heads, {});
  const Finished run = mend_run({"compare", two.test, two.reference, "--metric", "lpips", "-w",
                                 of_heads, "-w", of_trunk, "--json"});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  CHECK(std::abs(lines_of(run.out).at(0).at("value").get<double>() - 0.02771570533514023) <= 5e-7);

  const auto refused = [&](const std::vector<std::string>& weights) {
    std::vector<std::string> command = {"compare", two.test, two.reference, "--metric", "lpips"};
    for (const std::string& file : weights) command.insert(command.end(), {"-w", file});
    return mend_run(command).code;
  };
  CHECK(refused({}) == 2);
  CHECK(refused({of_heads}) == 4);
  CHECK(refused({of_trunk}) == 4);
  write_safetensors(two.folder / "other.safetensors",
                    {{"x", make_stored_tensor({1}, std::vector<float>{1})}}, {});
  CHECK(refused({of_heads, two.folder / "other.safetensors"}) == 4);
}

TEST_CASE("mend compare: a metric that there is none of is refused") {
  const Finished run = mend_run({"compare", "a.png", "b.png", "--metric", "beauty"});
  CHECK(run.code == 2);
  CHECK(run.err.find("ms-ssim") != std::string::npos);
}
