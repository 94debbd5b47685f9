// Tasks without --weights: the program restores with what it carries.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "restore/image_file.h"
#include "restore/metrics.h"
#include "tests/apps/run_program.h"
#include "tests/restore/make_images.h"
#include "tests/support/paths.h"
#include "weights/embedded.h"

using namespace mend;
using namespace mend::test;

namespace {

const std::string kSample = source_path("docs/images/sample.jpg");

struct Studio {
  Finished run(std::vector<std::string> arguments) const {
    Surroundings here;
    here.folder = folder.path();
    return mend_run(std::move(arguments), here);
  }
  double psnr_of(const std::string& name) const {
    return psnr(read_image(folder / name), read_image(kSample)).value;
  }
  TemporaryFolder folder;
};

/// dB that `task` wins back after `steps`.
double gain(const Studio& studio, const std::string& task, const std::string& steps) {
  REQUIRE(studio.run({"degrade", kSample, "-o", "bad.png", "--steps", steps}).code == 0);
  REQUIRE(studio.run({task, "bad.png", "-o", "good.png"}).code == 0);
  return studio.psnr_of("good.png") - studio.psnr_of("bad.png");
}

std::vector<nlohmann::json> lines_of(const Finished& finished) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(finished.out);
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

}  // namespace

TEST_CASE("mend without --weights: noise goes, by the weights of the program") {
  const Studio studio;
  CHECK(gain(studio, "denoise", R"([{"do": "gaussian_noise", "sigma": 25}])") > 7);
}

TEST_CASE("mend without --weights: small holes are filled, wide borders are not") {
  const Studio studio;
  const std::string mask =
      R"([{"do": "holes", "share": 0.1, "size": 6}, {"do": "scratches", "count": 4, "spots": 9}])";
  REQUIRE(studio.run({"degrade", kSample, "-o", "holed.png", "--mask", mask}).code == 0);
  REQUIRE(studio.run({"inpaint", "holed.png", "-o", "whole.png"}).code == 0);
  const Image whole = without_alpha(read_image(studio.folder / "whole.png"));
  CHECK(psnr(whole, read_image(kSample)).value > 31);
  const Finished refused =
      studio.run({"outpaint", kSample, "--extend", "8,8,8,8", "-o", "wide.png"});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("no weights of its own for outpaint") != std::string::npos);
}

TEST_CASE("mend without --weights: the scale picks the weights") {
  const Studio studio;
  write_image(studio.folder / "small.png", smooth_image(40, 30, 3));
  for (const int scale : {2, 3, 4}) {
    const Finished finished =
        studio.run({"upscale", "small.png", "--scale", std::to_string(scale), "-o", "large.png"});
    REQUIRE(finished.code == 0);
    CHECK(read_image(studio.folder / "large.png").width == 40 * scale);
  }
  REQUIRE(studio.run({"upscale", "small.png", "-o", "large.png"}).code == 0);
  CHECK(read_image(studio.folder / "large.png").width == 80);
  const Finished refused = studio.run({"upscale", "small.png", "--scale", "7", "-o", "large.png"});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("upscale-x2") != std::string::npos);
}

TEST_CASE("mend without --weights: where it carries none it says what to do") {
  const Studio studio;
  const Finished refused = studio.run({"derain", kSample, "-o", "dry.png"});
  CHECK(refused.code == 2);
  REQUIRE(refused.errors().size() == 1);
  CHECK(refused.err.find("no weights of its own for derain") != std::string::npos);
  CHECK(refused.err.find("mend pull") != std::string::npos);
}

TEST_CASE("mend: the program's own weights have names, which folders and files do not take away") {
  const Studio studio;
  std::filesystem::create_directory(studio.folder / "denoise");
  REQUIRE(studio.run({"inspect", "denoise", "--json"}).code == 0);
  write_image(studio.folder / "small.png", smooth_image(40, 30, 3));
  REQUIRE(studio.run({"denoise", "small.png", "-o", "clean.png"}).code == 0);
  std::filesystem::remove(studio.folder / "denoise");
  write_file(studio.folder / "denoise", "no checkpoint");
  CHECK(studio.run({"inspect", "denoise"}).code == 4);  // the user's file comes first
  CHECK(studio.run({"inspect", "mend:denoise"}).code == 0);
  REQUIRE(studio.run({"denoise", "small.png", "-o", "clean.png"}).code == 0);
  std::filesystem::remove(studio.folder / "denoise");
  const Finished inspected = studio.run({"inspect", "denoise", "--json"});
  REQUIRE(inspected.code == 0);
  CHECK(nlohmann::json::parse(inspected.out).at("network") == "drunet");
  const Finished listed = studio.run({"models", "--json"});
  CHECK(nlohmann::json::parse(listed.out).at("own_weights").size() ==
        embedded_checkpoints().size());
}

TEST_CASE("mend evaluate: the same numbers for the same seed, each picture and the mean") {
  const Studio studio;
  const Image sample = read_image(kSample);
  std::filesystem::create_directories(studio.folder / "pictures");
  for (const int corner : {0, 100}) {
    Image part = make_image(97, 64, 3, 8);
    store_float(part, 0, 0, window_to_float(sample, corner, corner, 64, 97));
    write_image(studio.folder / ("pictures/" + std::to_string(corner) + ".png"), part);
  }
  const auto evaluate = [&](const std::string& seed) {
    return studio.run({"evaluate", "pictures", "--task", "denoise", "--metric", "psnr", "--json",
                       "--degrade", R"([{"do": "gaussian_noise", "sigma": 25}])", "--seed", seed});
  };
  const Finished first = evaluate("1");
  REQUIRE(first.code == 0);
  CHECK(evaluate("1").out == first.out);
  CHECK(evaluate("2").out != first.out);
  const std::vector<nlohmann::json> lines = lines_of(first);
  REQUIRE(lines.size() == 3);
  // White noise of deviation 25, rounded and clipped where it is measured.
  CHECK(lines[0].at("input").get<double>() == doctest::Approx(20.2).epsilon(0.03));
  CHECK(lines[0].at("value").get<double>() > lines[0].at("input").get<double>() + 4);
  CHECK(lines[2].at("of") == "mean of 2");
  CHECK(lines[2].at("value").get<double>() ==
        doctest::Approx((lines[0].at("value").get<double>() + lines[1].at("value").get<double>()) /
                        2));
}

TEST_CASE("mend evaluate: what it cannot do is a usage error") {
  const Studio studio;
  const std::pair<std::vector<std::string>, std::string> kMistakes[] = {
      {{}, "say how pictures become bad"},
      {{"--degrade", "["}, "no JSON"},
      {{"--degrade", "[]", "--metric", "niqe"}, "use mend compare"},
      {{"--degrade", R"([{"do": "resize", "scale": 0.5, "filter": "area"}])"}, "is to see"},
  };
  for (const auto& [given, says] : kMistakes) {
    std::vector<std::string> arguments = {"evaluate", kSample, "--task", "denoise"};
    arguments.insert(arguments.end(), given.begin(), given.end());
    const Finished finished = studio.run(arguments);
    CAPTURE(finished.err);
    CAPTURE(says);
    CHECK(finished.code == 2);
    CHECK(finished.err.find(says) != std::string::npos);
  }
}
