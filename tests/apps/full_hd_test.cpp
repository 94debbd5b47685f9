// A photo of 1920x1080 through networks of published size, as `mend run` cuts it by itself.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/apps/run_program.h"
#include "tests/support/golden.h"
#include "weights/safetensors.h"

using namespace mend;
using namespace mend::test;

namespace {

constexpr int kWidth = 1920, kHeight = 1080;
constexpr std::int64_t kMostBytes = 6'000'000'000;

/// Waves of many lengths, edges and grain; row by row, because what this process holds would count
/// as the program's, which inherits the high-water mark.
void write_photo(const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  file << "P6 " << kWidth << " " << kHeight << " 255\n";
  std::uint32_t state = 1;
  std::string row(3 * kWidth, '\0');
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      for (int c = 0; c < 3; ++c) {
        state = state * 1664525 + 1013904223;
        const double waves = 40 * std::sin(x / (37.0 + 9 * c) + y / 61.0) +
                             25 * std::sin((1.0 * x * x + 1.0 * y * y) / 9000);
        const double value = 90 + 60.0 * y / kHeight + waves + 50 * ((x / 97 + y / 83) % 2) +
                             static_cast<double>(state >> 28);
        row[static_cast<std::size_t>(3 * x + c)] =
            static_cast<char>(static_cast<unsigned char>(std::clamp(value, 0.0, 255.0)));
      }
    }
    file << row;
  }
}

/// Runs it with the memory that every machine of 8 GB or more gives by itself; the line of --json.
nlohmann::json run_on_photo(const std::string& manifest, int scale) {
  const std::string keys = shared_path("goldens/" + manifest + ".keys.json");
  if (!require_data(keys)) return {};
  const TemporaryFolder folder;
  {
    const Checkpoint checkpoint = fill_checkpoint(keys);
    write_safetensors(folder / "net.safetensors", checkpoint.tensors, checkpoint.metadata);
  }
  write_photo(folder / "in.ppm");
  const Finished run = mend_run({"run", folder / "net.safetensors", folder / "in.ppm", "-o",
                                 folder / "out.ppm", "--tile", "auto", "--memory", "4G", "--json"});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  MESSAGE(manifest << ": peak " << run.peak_bytes / 1'000'000 << " MB, " << run.seconds << " s, "
                   << run.out);
  CHECK(run.peak_bytes < kMostBytes);
  CHECK(std::filesystem::file_size(folder / "out.ppm") >
        std::size_t{3} * kWidth * kHeight * static_cast<std::size_t>(scale * scale));
  return nlohmann::json::parse(run.out);
}

}  // namespace

TEST_CASE("full HD: NAFNet-width32 takes the whole picture, under 6 GB") {
  const auto line = run_on_photo("nafnet/NAFNet-GoPro-width32", 1);
  if (line.is_null()) return;
  CHECK(line.at("tiling") == "whole");
  CHECK(line.at("statistics") == "image");
}

TEST_CASE("full HD: SwinIR-light x2 takes the whole picture, under 6 GB") {
  const auto line = run_on_photo("swinir/002_lightweightSR_DIV2K_s64w8_SwinIR-S_x2", 2);
  if (line.is_null()) return;
  CHECK(line.at("tiling") == "whole");
}

// Two minutes more, so with the other long runs of `make test-memory`.
TEST_CASE("full memory: Restormer takes 1920x1080 whole or in blended tiles as high as it") {
  const auto line = run_on_photo("restormer/motion_deblurring", 1);
  if (line.is_null()) return;
  // How much the plan holds depends on the cache, whose rows it takes at a time.
  if (line.at("tiling") == "whole") return;
  CHECK(line.at("tiling") == "blended");
  CHECK(line.at("statistics") == "tile");
  CHECK(line.at("tile_width").get<int>() >= 640);
  CHECK(line.at("tile_height").get<int>() >= kHeight);
}
