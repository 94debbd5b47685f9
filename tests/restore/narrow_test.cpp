// Pictures in f16 and bf16 on the CPU: tiles, and numbers that f16 does not have.
#include <doctest/doctest.h>

#include "engine/error.h"
#include "restore/tiled_network.h"
#include "tests/restore/small_network.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

TileOptions in(Precision precision, int tile = 0) {
  TileOptions options;
  options.precision = precision;
  if (tile > 0) {
    options.mode = TileOptions::Mode::kFixed;
    options.size = tile;
  }
  return options;
}

}  // namespace

TEST_CASE("narrow: tiles give the bits of the whole picture") {
  const SmallNetwork network(32);
  const Tensor x = random_tensor({1, 150, 131, 3}, 1);
  const Tensor expected = run_tiled(network, x, {});
  for (const auto& [precision, bound] :
       {std::pair{Precision::kF16, 1e-3}, {Precision::kBF16, 1e-2}}) {
    CAPTURE(name_of(precision));
    const Tensor whole = run_tiled(network, x, in(precision));
    const Deviation deviation = relative_error(whole, expected);
    CHECK(deviation < bound);
    CHECK(deviation.value > 0);
    CHECK(identical(run_tiled(network, x, in(precision, 60)), whole));
  }
}

TEST_CASE("narrow: a tile without numbers in f16 is computed again in f32") {
  const SmallNetwork network(32);
  // 1e5 has no number in f16: the convolutions see infinity there.
  const Network large = [&](const Tensors& given) {
    return Tensors{1e-5f * network({1e5f * given[0]})[0]};
  };
  const Tensor x = random_tensor({1, 16, 19, 3}, 1);
  const Tensor expected = run_tiled(large, x, {});
  CHECK(identical(run_tiled(large, x, in(Precision::kF16)), expected));
  CHECK(relative_error(run_tiled(large, x, in(Precision::kBF16)), expected) < 5e-2);
}

TEST_CASE("narrow: auto is f32 on a CPU") {
  const SmallNetwork network(32);
  const Tensor x = random_tensor({1, 21, 18, 3}, 1);
  CHECK(precision_named("auto") == Precision::kAuto);
  CHECK(identical(run_tiled(network, x, in(Precision::kAuto)), run_tiled(network, x, {})));
}

TEST_CASE("narrow: eager code computes in f32 and says so") {
  const SmallNetwork network(32);
  TileOptions options = in(Precision::kF16);
  options.eager = true;
  CHECK_THROWS_AS(run_tiled(network, random_tensor({1, 8, 8, 3}, 1), options), UsageError);
}

}  // namespace mend::test
