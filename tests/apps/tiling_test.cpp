// Tiles, threads and eager code: the same picture whichever way it is made.
#include <doctest/doctest.h>

#include <cstdlib>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"

using namespace mend;
using namespace mend::test;

namespace {

/// Layers as wide as the published networks', but few of them.
struct Row {
  const char* name;
  const char* command;
  TinyNetwork network;
};
std::vector<Row> wide_networks() {
  return {{"SRVGGNetCompact", "upscale", tiny_srvgg(2, 64, 3)},
          {"DnCNN", "denoise", tiny_dncnn(3, 64, 5)},
          {"EDSR", "upscale", tiny_edsr(64, 1)}};
}

class Workplace {
 public:
  Workplace() {
    Image noisy = smooth_image(301, 203, 3);
    const Image noise = pattern_image(301, 203, 3, 8);
    for (std::size_t i = 0; i < noisy.bytes.size(); ++i) {
      noisy.bytes[i] = static_cast<std::uint8_t>(noisy.bytes[i] + noise.bytes[i] % 32);
    }
    write_image(folder_ / "in.png", noisy);
  }
  Image result(const Row& row, const std::vector<std::string>& options) {
    const std::string network = row.network.write(folder_ / "net.safetensors");
    std::vector<std::string> arguments = {row.command, folder_ / "in.png", "-w", network,
                                          "-o",        folder_ / "out.ppm"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Finished run = mend_run(arguments);
    CAPTURE(run.err);
    REQUIRE(run.code == 0);
    return read_image(folder_ / "out.ppm");
  }

 private:
  TemporaryFolder folder_;
};

/// The largest difference of two 8-bit pictures.
int grey_levels_between(const Image& a, const Image& b) {
  REQUIRE(a.bytes.size() == b.bytes.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.bytes.size(); ++i) {
    largest = std::max(largest, std::abs(a.bytes[i] - b.bytes[i]));
  }
  return largest;
}

/// Whether a picture shows something: values from all over the range.
bool has_contrast(const Image& image) {
  const auto [low, high] = std::minmax_element(image.bytes.begin(), image.bytes.end());
  return *high - *low > 60;
}

}  // namespace

TEST_CASE("mend --tile: tiles of 64 give the bytes of the whole picture, on one thread and two") {
  Workplace here;
  for (const Row& row : wide_networks()) {
    CAPTURE(row.name);
    const Image whole = here.result(row, {"--tile", "off", "--threads", "1"});
    CHECK(has_contrast(whole));
    CHECK(here.result(row, {"--tile", "64", "--threads", "1"}).bytes == whole.bytes);
    CHECK(here.result(row, {"--tile", "64", "--threads", "2"}).bytes == whole.bytes);
    CHECK(here.result(row, {"--tile", "off", "--threads", "2"}).bytes == whole.bytes);
  }
}

TEST_CASE(
    "mend --eager: operation by operation the picture is within one grey level of the plan's") {
  Workplace here;
  for (const Row& row : wide_networks()) {
    CAPTURE(row.name);
    const Image planned = here.result(row, {"--tile", "off"});
    CHECK(grey_levels_between(here.result(row, {"--tile", "off", "--eager"}), planned) <= 1);
  }
}

TEST_CASE("mend --memory: a small cap cuts tiles whose picture is within one grey level") {
  Workplace here;
  for (const Row& row : wide_networks()) {
    CAPTURE(row.name);
    CHECK(grey_levels_between(here.result(row, {"--memory", "20M"}), here.result(row, {})) <= 1);
  }
}

TEST_CASE("mend --tile: RRDBNet is within one grey level, and exact with --tile-exact") {
  Workplace here;
  const Row row = {"RRDBNet", "upscale", tiny_rrdbnet(8, 4, 2)};
  const Image whole = here.result(row, {"--tile", "off"});
  CHECK(has_contrast(whole));
  CHECK(grey_levels_between(here.result(row, {"--tile", "64"}), whole) <= 1);
  CHECK(here.result(row, {"--tile", "64", "--tile-exact"}).bytes == whole.bytes);
}

TEST_CASE("mend --tile: published weights give the same bytes from tiles") {
  const std::string weights =
      shared_path("weights/realesr_general_x4v3/RealESRGAN_General_x4_v3.bin");
  if (!require_data(weights)) return;
  const TemporaryFolder folder;
  write_image(folder / "in.png", smooth_image(90, 70, 3));
  for (const char* tile : {"off", "48"}) {
    CHECK(mend_run({"upscale", folder / "in.png", "-w", weights, "--tile", tile, "-o",
                    folder / tile + ".png"})
              .code == 0);
  }
  CHECK(read_file(folder / "48.png") == read_file(folder / "off.png"));
}
