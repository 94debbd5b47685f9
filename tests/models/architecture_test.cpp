// Reading hyper-parameters off shapes.
#include "models/architecture.h"

#include <doctest/doctest.h>

#include "engine/error.h"

namespace mend::test {

TEST_CASE("shortest_ratio: finds the factor that a constructor was given") {
  // Restormer, dim 48: int(2.66 · 48), int(2.66 · 96), ...
  CHECK(shortest_ratio({{127, 48}, {255, 96}, {510, 192}, {1021, 384}}) == 2.66);
  CHECK(shortest_ratio({{360, 180}}) == 2);
  CHECK(shortest_ratio({{30, 12}}) == 2.5);
  CHECK(shortest_ratio({{64, 64}}) == 1);
  CHECK(shortest_ratio({{4, 16}}) == 0.25);  // though 0.3 gives 4 too
  CHECK(shortest_ratio({{4, 16}}, 0.5) == 0.25);
  CHECK(shortest_ratio({{13, 5}, {26, 10}, {53, 20}}) == 2.65);
  CHECK(shortest_ratio({{13, 5}, {26, 10}, {53, 20}}, 2.66) == 2.66);
  // 4.35 · 100 is below 435 in double.
  CHECK(shortest_ratio({{435, 100}}) == 4.351);
}

TEST_CASE("scaled_width: rounds down as Python does, but not to 0") {
  CHECK(scaled_width(48, 2.66) == 127);
  CHECK(scaled_width(100, 4.35) == 434);
  CHECK(scaled_width(4, 0.1) == 1);
}

TEST_CASE("depths_of: counts the blocks of each group until one is missing") {
  Checkpoint checkpoint;
  for (const char* key : {"layers.0.blocks.0.norm.weight", "layers.0.blocks.1.norm.weight",
                          "layers.1.blocks.0.norm.weight", "layers.3.blocks.0.norm.weight"}) {
    checkpoint.tensors[key] = {};
  }
  CHECK(depths_of(checkpoint, "layers.{}.blocks.", "norm.weight") == std::vector<int>{2, 1});
}

TEST_CASE("hyper-parameters: lists, flags and ratios are checked") {
  const Json hyper = {{"depths", {6, 2}}, {"bias", true}, {"mlp_ratio", 2}, {"window", "wide"}};
  CHECK(integers(hyper, "depths", 1, 9) == std::vector<int>{6, 2});
  CHECK_THROWS_AS(integers(hyper, "depths", 1, 9, 3), CheckpointError);
  CHECK_THROWS_AS(integers(hyper, "depths", 1, 5), CheckpointError);
  CHECK_THROWS_AS(integers(hyper, "mlp_ratio", 1, 5), CheckpointError);
  CHECK(flag(hyper, "bias"));
  CHECK_THROWS_AS(flag(hyper, "depths"), CheckpointError);
  CHECK(ratio(hyper, "mlp_ratio") == 2);
  CHECK_THROWS_AS(ratio(hyper, "mlp_ratio", 0, 1), CheckpointError);
  CHECK_THROWS_AS(ratio(hyper, "window"), CheckpointError);
}

}  // namespace mend::test
