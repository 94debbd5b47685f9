// colorize, inpaint, outpaint and restore --steps, as their users call them.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"
#include "tests/support/golden.h"

using namespace mend;
using namespace mend::test;

namespace {

/// The weights of a fixture as a checkpoint of its own; returns `path`.
std::string fixture_weights(const std::string& name, const std::string& path,
                            const std::map<std::string, std::string>& metadata = {}) {
  const Golden golden = load_golden(data_path("goldens/" + name + ".safetensors"));
  write_safetensors(path, golden.weights.tensors, metadata);
  return path;
}

/// A folder with the weights of small LaMa, MI-GAN, ECCV16 and SIGGRAPH17 and a photo of 40 x 30.
struct Studio {
  Studio() {
    fixture_weights("lama/ngf2_oddw_generator_keys", folder / "lama.safetensors");
    fixture_weights("siggraph17/siggraph17_hints", folder / "siggraph.safetensors");
    write_image(folder / "photo.png", smooth_image(40, 30, 3));
  }
  Finished run(std::vector<std::string> arguments) const {
    Surroundings here;
    here.folder = folder.path();
    return mend_run(arguments, here);
  }
  Image image(const std::string& name) const { return read_image(folder / name); }
  TemporaryFolder folder;
};

/// The number of pixels that differ, and whether all of them lie in the rectangle.
struct Difference {
  int pixels = 0;
  bool inside = true;
};
Difference difference(const Image& a, const Image& b, int x0, int y0, int w, int h) {
  Difference found;
  for (int y = 0; y < a.height; ++y)
    for (int x = 0; x < a.width; ++x) {
      const std::uint8_t *p = a.row(y) + x * a.channels, *q = b.row(y) + x * b.channels;
      if (std::equal(p, p + 3, q)) continue;
      ++found.pixels;
      found.inside = found.inside && x >= x0 && y >= y0 && x < x0 + w && y < y0 + h;
    }
  return found;
}

}  // namespace

TEST_CASE("mend inpaint: fills rectangles, painted masks and transparent pixels, nothing else") {
  const Studio studio;
  const Image photo = studio.image("photo.png");
  Image mask = make_image(40, 30, 1, 8);
  Image erased = make_image(40, 30, 4, 8);
  for (int y = 0; y < 30; ++y)
    for (int x = 0; x < 40; ++x) {
      const bool hole = x >= 6 && x < 18 && y >= 5 && y < 14;
      mask.row(y)[x] = hole ? 255 : 0;
      std::copy_n(photo.row(y) + 3 * x, 3, erased.row(y) + 4 * x);
      erased.row(y)[4 * x + 3] = hole ? 0 : 255;
    }
  write_image(studio.folder / "mask.png", mask);
  write_image(studio.folder / "erased.png", erased);

  const std::vector<std::vector<std::string>> ways = {{"photo.png", "--mask-rect", "6,5,12,9"},
                                                      {"photo.png", "--mask", "mask.png"},
                                                      {"erased.png"}};
  std::vector<Image> results;
  for (std::vector<std::string> arguments : ways) {
    CAPTURE(arguments.size());
    arguments.insert(arguments.begin(), "inpaint");
    for (const char* word : {"-w", "lama.safetensors", "-o", "out.png"}) arguments.push_back(word);
    const Finished finished = studio.run(arguments);
    CHECK(finished.err.find("error") == std::string::npos);
    REQUIRE(finished.code == 0);
    results.push_back(studio.image("out.png"));
    const Difference found = difference(results.back(), photo, 6, 5, 12, 9);
    CHECK(found.pixels > 50);
    CHECK(found.inside);
    CHECK(difference(results.back(), results.front(), 0, 0, 0, 0).pixels == 0);
  }
}

TEST_CASE("mend: a network runs for the task that its checkpoint's metadata says, and no other") {
  const Studio studio;
  const auto drunet = [&](const std::string& task) {
    const std::string name = task + ".safetensors";
    fixture_weights("drunet/color_odd_replicate", studio.folder / name, {{"task", task}});
    return name;
  };
  CHECK(studio.run({"dejpeg", "photo.png", "-w", drunet("dejpeg"), "-o", "clean.png"}).code == 0);
  const Finished other =
      studio.run({"denoise", "photo.png", "-w", drunet("dejpeg"), "-o", "other.png"});
  CHECK(other.code == 2);
  CHECK(other.err.find("is made for dejpeg, not for denoise") != std::string::npos);

  // Holes that `mend degrade` made are those that `mend inpaint` fills.
  REQUIRE(studio
              .run({"degrade", "photo.png", "-o", "holed.png", "--mask",
                    R"([{"do": "holes", "share": 0.1, "size": 4}])"})
              .code == 0);
  const Image holed = studio.image("holed.png"), photo = studio.image("photo.png");
  REQUIRE(holed.channels == 4);
  REQUIRE(studio.run({"inpaint", "holed.png", "-w", drunet("inpaint"), "-o", "whole.png"}).code ==
          0);
  const Image whole = studio.image("whole.png");
  CHECK(is_opaque(whole));
  int holes = 0, filled = 0, kept = 0;
  for (int y = 0; y < photo.height; ++y)
    for (int x = 0; x < photo.width; ++x) {
      const std::uint8_t *before = photo.row(y) + 3 * x, *after = whole.row(y) + 4 * x;
      const bool hole = holed.row(y)[4 * x + 3] == 0, same = std::equal(before, before + 3, after);
      holes += hole ? 1 : 0;
      filled += hole && after[0] + after[1] + after[2] > 0 ? 1 : 0;
      kept += !hole && same ? 1 : 0;
    }
  CHECK(holes > 40);
  CHECK(filled > holes / 2);
  CHECK(kept + holes == photo.height * photo.width);

  const Finished refused =
      studio.run({"upscale", "photo.png", "-w", drunet("upscale"), "-o", "large.png"});
  CHECK(refused.code == 4);
  CHECK(refused.err.find("trained for upscale") != std::string::npos);
}

TEST_CASE("mend inpaint: a folder of masks, grown and inverted ones") {
  const Studio studio;
  std::filesystem::create_directory(studio.folder / "masks");
  Image mask = make_image(40, 30, 1, 8);
  std::fill(mask.bytes.begin(), mask.bytes.end(), std::uint8_t{255});
  mask.row(10)[20] = 0;
  write_image(studio.folder / "masks/photo.png", mask);
  const Finished finished = studio.run({"inpaint", "photo.png", "-w", "lama.safetensors", "--mask",
                                        "masks", "--mask-invert", "--grow", "3", "-o", "out.png"});
  REQUIRE(finished.code == 0);
  const Difference found =
      difference(studio.image("out.png"), studio.image("photo.png"), 17, 7, 7, 7);
  CHECK(found.pixels > 20);
  CHECK(found.inside);
}

TEST_CASE("mend inpaint: says what is wrong in one line") {
  const Studio studio;
  write_image(studio.folder / "small.png", make_image(9, 9, 1, 8));
  std::filesystem::create_directory(studio.folder / "masks");
  struct Mistake {
    std::vector<std::string> arguments;
    int code;
    std::string says;
  };
  const Mistake kMistakes[] = {
      {{}, 3, "nothing says where its holes are"},
      {{"--mask", "small.png"}, 2, "the mask has 9x9 pixels, the picture 40x30"},
      {{"--mask", "gone.png"}, 3, "gone.png"},
      {{"--mask", "masks"}, 3, "has no mask of that name (photo.png)"},
      {{"--mask-rect", "1,2,3"}, 2, "write 4 whole numbers with commas"},
      {{"--mask-rect", "1,2,3,4,"}, 2, "write 4 whole numbers with commas"},
      {{"--mask-rect", "1,2,0,4"}, 2, "width and height must be positive"},
      {{"--mask-rect", "1,2,99999999999,4"}, 2, "write 4 whole numbers with commas"},
      {{"--mask-invert"}, 2, "there is no --mask"},
  };
  for (const Mistake& mistake : kMistakes) {
    std::vector<std::string> arguments = {"inpaint",          "photo.png", "-w",
                                          "lama.safetensors", "-o",        "never_made.png"};
    arguments.insert(arguments.end(), mistake.arguments.begin(), mistake.arguments.end());
    const Finished finished = studio.run(arguments);
    CAPTURE(finished.err);
    CHECK(finished.code == mistake.code);
    CHECK(finished.errors().size() == 1);
    CHECK(finished.err.find(mistake.says) != std::string::npos);
    CHECK(!std::filesystem::exists(studio.folder / "never_made.png"));
  }
}

TEST_CASE("mend outpaint: the picture grows by the borders and stays as it was inside") {
  const Studio studio;
  const Finished finished = studio.run(
      {"outpaint", "photo.png", "-w", "lama.safetensors", "--extend", "8,0,4,2", "-o", "wide.png"});
  REQUIRE(finished.code == 0);
  const Image wide = studio.image("wide.png"), photo = studio.image("photo.png");
  CHECK(wide.width == 52);
  CHECK(wide.height == 32);
  for (int y = 0; y < 30; ++y) {
    CHECK(std::equal(photo.row(y), photo.row(y) + 120, wide.row(y) + 3 * 8));
  }
  for (const char* wrong : {"8,0,4", "0,0,0,0", "-8,0,4,2", "a,b,c,d"}) {
    const Finished refused = studio.run({"outpaint", "photo.png", "-w", "lama.safetensors",
                                         "--extend=" + std::string(wrong), "-o", "no.png"});
    CHECK(refused.code == 2);
    CHECK(refused.errors().size() == 1);
  }
}

TEST_CASE("mend colorize: gray in, colour out, hints are followed") {
  const Studio studio;
  write_image(studio.folder / "gray.png", smooth_image(40, 30, 1));
  Image dots = make_image(40, 30, 4, 8);
  for (int c : {0, 3}) dots.row(15)[4 * 20 + c] = 255;
  write_image(studio.folder / "dots.png", dots);
  REQUIRE(studio.run({"colorize", "gray.png", "-w", "siggraph.safetensors", "-o", "a.png"}).code ==
          0);
  REQUIRE(studio
              .run({"colorize", "gray.png", "-w", "siggraph.safetensors", "--hints", "dots.png",
                    "-o", "b.png"})
              .code == 0);
  const Image free = studio.image("a.png"), hinted = studio.image("b.png");
  CHECK(free.channels == 3);
  CHECK(difference(free, hinted, 0, 0, 0, 0).pixels > 0);
  const Finished wrong = studio.run(
      {"colorize", "gray.png", "-w", "siggraph.safetensors", "--hints", "gray.png", "-o", "c.png"});
  CHECK(wrong.code == 2);
  CHECK(wrong.err.find("no transparent pixel") != std::string::npos);
}

TEST_CASE("mend restore: runs the steps in order, and explain says what they take") {
  const Studio studio;
  tiny_dncnn().write(studio.folder / "dncnn.safetensors");
  tiny_srvgg(2).write(studio.folder / "x2.safetensors");
  const std::vector<std::string> steps = {"--steps", "denoise, upscale:2,upscale",
                                          "-w",      "denoise=dncnn.safetensors",
                                          "-w",      "upscale=x2.safetensors"};
  std::vector<std::string> arguments = {"restore", "photo.png", "-o", "out.png"};
  arguments.insert(arguments.end(), steps.begin(), steps.end());
  const Finished finished = studio.run(arguments);
  CAPTURE(finished.err);
  REQUIRE(finished.code == 0);
  CHECK(studio.image("out.png").width == 160);

  arguments = {"explain", "--size", "40x30", "--json"};
  arguments.insert(arguments.end(), steps.begin(), steps.end());
  const Finished explained = studio.run(arguments);
  REQUIRE(explained.code == 0);
  const auto json = nlohmann::json::parse(explained.out);
  REQUIRE(json.at("steps").size() == 3);
  CHECK(json.at("steps")[2].at("width") == 160);
  double flops = 0;
  for (const auto& step : json.at("steps")) flops += step.at("flops").get<double>();
  CHECK(json.at("flops") == doctest::Approx(flops));
}

TEST_CASE("mend restore: one step is the task's own command, bit for bit") {
  const Studio studio;
  tiny_srvgg(2).write(studio.folder / "x2.safetensors");
  REQUIRE(studio.run({"upscale", "photo.png", "-w", "x2.safetensors", "-o", "a.png"}).code == 0);
  REQUIRE(studio
              .run({"restore", "photo.png", "--steps", "upscale", "-w", "x2.safetensors", "-o",
                    "b.png"})
              .code == 0);
  CHECK(studio.image("a.png").bytes == studio.image("b.png").bytes);
}

TEST_CASE("mend restore: mistakes in the steps are usage errors of one line") {
  const Studio studio;
  tiny_srvgg(2).write(studio.folder / "x2.safetensors");
  const std::pair<std::vector<std::string>, std::string> kMistakes[] = {
      {{"--steps", "sharpen"}, "'sharpen' is no step"},
      {{"--steps", "upscale,"}, "'' is no step"},
      {{"--steps", "upscale:"}, "nothing follows the colon"},
      {{"--steps", "upscale:9", "-w", "x2.safetensors"}, "from 1 to 8"},
      {{"--steps", "upscale:3", "-w", "x2.safetensors"}, "enlarges by 2"},
      {{"--steps", "denoise:loud"}, "write a number from 0 to 255"},
      {{"--steps", "upscale,derain", "-w", "upscale=x2.safetensors"},
       "no weights of its own for derain"},
      {{"--steps", "upscale,upscale", "-w", "x2.safetensors"}, "say which step it is for"},
      {{"--steps", "upscale", "-w", "upscale=x2.safetensors", "-w", "dejpeg=x2.safetensors"},
       "--steps has no such step"},
      {{"--steps", "dejpeg", "-w", "dejpeg=x2.safetensors"}, "not for dejpeg"},
  };
  for (const auto& [given, says] : kMistakes) {
    std::vector<std::string> arguments = {"restore", "photo.png", "-o", "never_made.png"};
    arguments.insert(arguments.end(), given.begin(), given.end());
    const Finished finished = studio.run(arguments);
    CAPTURE(finished.err);
    CAPTURE(says);
    CHECK(finished.code == 2);
    CHECK(finished.errors().size() == 1);
    CHECK(finished.err.find(says) != std::string::npos);
  }
}

TEST_CASE("mend denoise: measures the noise when it is not given, and reports it") {
  const Studio studio;
  tiny_ffdnet().write(studio.folder / "ffdnet.safetensors");
  write_image(studio.folder / "noise.png", pattern_image(64, 64, 3, 8));
  const auto sigma = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"denoise", "noise.png", "-w",    "ffdnet.safetensors",
                                          "-o",      "out.png",   "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = studio.run(arguments);
    REQUIRE(finished.code == 0);
    return nlohmann::json::parse(finished.out).value("sigma", 0.0);
  };
  CHECK(sigma({}) == doctest::Approx(73.9).epsilon(0.1));  // uniform in 0..255: 255 / sqrt(12)
  CHECK(sigma({"--sigma", "20"}) == doctest::Approx(20));
}

TEST_CASE("mend: tasks that want more than a picture name their own command") {
  const Studio studio;
  const std::pair<std::string, std::string> kNetworks[] = {
      {"lama.safetensors", "`mend inpaint` and `mend outpaint`"},
      {"siggraph.safetensors", "`mend colorize`"},
  };
  for (const auto& [network, says] : kNetworks) {
    const Finished finished = studio.run({"run", network, "photo.png", "-o", "out.png"});
    CHECK(finished.code == 2);
    CHECK(finished.err.find(says) != std::string::npos);
  }
}

TEST_CASE("mend explain and bench: a network of one size is shown at that size") {
  const Studio studio;
  fixture_weights("migan/tiny32", studio.folder / "migan.safetensors");
  const Finished explained = studio.run({"explain", "migan.safetensors"});
  CHECK(explained.code == 0);
  CHECK(explained.out.find("[1,32,32,4]") != std::string::npos);
  const Finished timed =
      studio.run({"bench", "migan.safetensors", "--json", "--min-time", "0", "--min-runs", "1"});
  REQUIRE(timed.code == 0);
  CHECK(nlohmann::json::parse(timed.out).at("size") == "32x32");
}
