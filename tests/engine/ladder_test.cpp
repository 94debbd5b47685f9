#include "engine/ladder.h"

#include <doctest/doctest.h>

#include <string>

namespace mend::test {
namespace {

struct Toy {
  static constexpr std::string_view kName = "toy";
};

std::string needs_small(const Toy&, const Shapes& in) {
  return in[0].w > 8 ? "needs at most 8 columns" : "";
}
double by_width(const Toy&, const Shapes& in) { return in[0].w; }
double fixed(const Toy&, const Shapes&) { return 4; }

// clang-format off
constexpr Variant<Toy, int> kToys[] = {
    {"toy/reference", DeviceKind::kCpu,  never_refuses, slowest,  0, 0},
    {"toy/even",      DeviceKind::kCpu,  never_refuses, fixed,    0, 1},
    {"toy/narrow",    DeviceKind::kCpu,  needs_small,   by_width, 0, 2},
    {"toy/cuda",      DeviceKind::kCuda, never_refuses, by_width, 0, 3},
};
// clang-format on

int chosen(int width) {
  const std::span<const Variant<Toy, int>> ladder = kToys;
  return choose(ladder, Toy{}, {{1, 1, width, 1}}, DeviceKind::kCpu).kernel;
}

/// Forgets what a test forced.
struct Forced {
  Forced(const std::string& op, const std::string& rung) { force_variant(op, rung); }
  ~Forced() { clear_forced_variants(); }
};

}  // namespace

TEST_CASE("choose: takes the rung with the least modelled time that can do the case") {
  CHECK(chosen(2) == 2);
  CHECK(chosen(6) == 1);
  CHECK(chosen(9) == 1);
}

TEST_CASE("choose: a forced rung runs, slow or not") {
  const Forced forced("toy", "reference");
  CHECK(chosen(2) == 0);
  CHECK(forced_variant("toy") == "reference");
  CHECK(forced_variant("other").empty());
}

TEST_CASE("choose: forcing one operation leaves the others alone") {
  const Forced forced("other", "reference");
  CHECK(chosen(2) == 2);
}

TEST_CASE("choose: a forced rung that cannot do the case is an error that says why") {
  const Forced forced("toy", "narrow");
  CHECK(chosen(8) == 2);
  CHECK_THROWS_WITH_AS(chosen(9), "toy/narrow was forced but needs at most 8 columns", UsageError);
}

TEST_CASE("choose: a forced rung that does not exist on the device is an error with all names") {
  for (const std::string rung : {"fast", "cuda"}) {
    const Forced forced("toy", rung);
    CHECK_THROWS_WITH_AS(chosen(2),
                         ("toy=" + rung +
                          " names no rung on this device; there are: toy/reference "
                          "toy/even toy/narrow toy/cuda")
                             .c_str(),
                         UsageError);
  }
}

}  // namespace mend::test
