// How long a large checkpoint takes to load.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"

using namespace mend::test;

TEST_CASE("mend: a checkpoint of 64 MB is mapped and loaded in a fraction of a second") {
  const TemporaryFolder folder;
  // 27 convolutions of 256 channels, 2.36 MB each.
  const std::string network = tiny_dncnn(3, 256, 29).write(folder / "net.safetensors");
  REQUIRE(std::filesystem::file_size(network) > 60'000'000);
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {  // other work on the machine can only add
    const Finished run = mend_run({"bench", network, "--size", "8x8", "--json", "--min-runs", "1",
                                   "--min-time", "0", "--kernel", "conv2d=direct"});
    REQUIRE(run.code == 0);
    best = std::min(best, nlohmann::json::parse(run.out).at("load_ms").get<double>());
  }
  MESSAGE("64 MB in " << best << " ms");
  CHECK(best < 500);  // 100 ms is the aim on a quiet machine
}
