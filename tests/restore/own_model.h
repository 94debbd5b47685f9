// Networks that a test writes itself.
#pragma once

#include <string>
#include <utility>

#include "models/network.h"

namespace mend::test {

inline Model own_model(std::string description, TilePolicy policy, Network forward) {
  return {.name = "own",
          .description = std::move(description),
          .hyperparameters = {},
          .parameters = 0,
          .keys = {},
          .traits = Traits(policy),
          .forward = std::move(forward),
          .local = {}};
}

}  // namespace mend::test
