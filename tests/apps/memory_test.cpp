// A photo of 24 megapixels, enlarged in bounded memory.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"

using namespace mend;
using namespace mend::test;

namespace {

constexpr int kWidth = 6000, kHeight = 4000;

/// Writes a gradient with noise row by row: what this process holds would count as the program's,
/// which inherits the high-water mark.
void write_large_photo(const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  file << "P6 " << kWidth << " " << kHeight << " 255\n";
  std::uint32_t state = 1;
  std::string row(3 * kWidth, '\0');
  for (int y = 0; y < kHeight; ++y) {
    for (int i = 0; i < 3 * kWidth; ++i) {
      state = state * 1664525 + 1013904223;
      row[static_cast<std::size_t>(i)] = static_cast<char>(
          100 * y / kHeight + 100 * i / (3 * kWidth) + static_cast<int>(state >> 27));
    }
    file << row;
  }
}

}  // namespace

TEST_CASE("mend: 24 megapixels through SRVGGNetCompact x2 stay under 1.5 GB") {
  const TemporaryFolder folder;
  // As wide as the published networks, because width is what fills the arena, but three layers deep.
  const std::string network = tiny_srvgg(2, 64, 1).write(folder / "net.safetensors");
  write_large_photo(folder / "in.ppm");
  const Finished run =
      mend_run({"upscale", folder / "in.ppm", "-w", network, "-o", folder / "out.ppm", "--json"});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  CAPTURE(run.out);
  CHECK(std::filesystem::file_size(folder / "out.ppm") > std::size_t{4} * 3 * kWidth * kHeight);
  CHECK(nlohmann::json::parse(run.out).at("tiles_exact") == true);
  MESSAGE("peak " << run.peak_bytes / 1'000'000 << " MB, " << run.seconds << " s");
  CHECK(run.peak_bytes < 1'500'000'000);
}
