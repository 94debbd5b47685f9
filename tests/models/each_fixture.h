// The networks and inputs of the small official fixtures, one after the other.
#pragma once

#include <doctest/doctest.h>

#include <iterator>
#include <string>

#include "models/registry.h"
#include "tests/models/small_fixtures.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace mend::test {

/// Calls body(model, inputs) for each that is here. Returns whether all are.
template <class Body>
bool for_each_fixture(const Body& body) {
  std::size_t found = 0;
  for (const std::string name : kSmallFixtures) {
    CAPTURE(name);
    const std::string path = golden_path(name);
    if (!require_data(path)) continue;
    ++found;
    const Golden golden = load_golden(path);
    const Model model = load_model(golden.weights);
    Tensors inputs;
    for (const std::string& input : golden.inputs()) inputs.push_back(golden.at(input));
    body(model, inputs);
  }
  return found == std::size(kSmallFixtures);
}

}  // namespace mend::test
