// What the program says it measured, against the table of networks.
#include "models/measured.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "models/registry.h"
#include "weights/catalogue.h"

namespace mend::test {
TEST_CASE("measured: every network was, and stayed within what its fixture allows") {
  std::set<std::string> known, measured;
  for (const Architecture& architecture : architectures()) known.insert(architecture.name);
  for (const MeasuredNetwork& one : measured_networks()) {
    CAPTURE(one.network);
    CAPTURE(one.name);
    CHECK(known.contains(one.network));
    CHECK(one.parameters > 0);
    CHECK(one.gflops_per_megapixel > 0);
    CHECK(!one.tasks.empty());
    CHECK(one.error <= one.tolerance);
    const auto policies = {TilePolicy::kExactHalo, TilePolicy::kWindowAligned,
                           TilePolicy::kWholeImage};
    CHECK(std::any_of(policies.begin(), policies.end(),
                      [&](TilePolicy policy) { return name_of(policy) == one.tile_policy; }));
    measured.insert(one.network);
  }
  for (const std::string& name : known) {
    CHECK_MESSAGE(measured.contains(name), name << ": run `make docs`");
  }
}

TEST_CASE("measured: every network's code and a checkpoint are in the catalogue") {
  std::set<std::string> code, checkpoints;
  for (const PublishedNetwork& network : published_networks()) code.insert(network.network);
  for (const PublishedCheckpoint& checkpoint : catalogue()) checkpoints.insert(checkpoint.network);
  for (const Architecture& architecture : architectures()) {
    CAPTURE(architecture.name);
    CHECK(code.contains(architecture.name));
    CHECK(checkpoints.contains(architecture.name));
  }
}

}  // namespace mend::test
