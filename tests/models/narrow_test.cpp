// Whole networks that keep their images in 16 bits on the CPU.
#include <doctest/doctest.h>

#include <iterator>

#include "engine/parallel.h"
#include "engine/plan.h"
#include "kernels/convert/convert.h"
#include "models/registry.h"
#include "tests/models/small_fixtures.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {

TEST_CASE("narrow: networks give what the official implementations give, within the rounding") {
  int found = 0;
  for (const std::string name : kSmallFixtures) {
    CAPTURE(name);
    const std::string path = golden_path(name);
    if (!require_data(path)) continue;
    ++found;
    const Golden golden = load_golden(path);
    const Model model = load_model(golden.weights);
    Tensors inputs;
    for (const std::string& input : golden.inputs()) inputs.push_back(golden.at(input));
    const Tensors expected = Plan(model.forward, shapes_of(inputs))(inputs);
    for (const auto& [type, bound] : {std::pair{DType::kF16, 1e-2}, {DType::kBF16, 8e-2}}) {
      CAPTURE(name_of(type));
      // It picks codes by the largest score, of which several are nearly equal.
      if (type == DType::kBF16 && model.name == "codeformer") continue;
      Tensors first;
      on_one_and_two_threads([&](int) {
        Plan narrow(model.forward, shapes_of(inputs), nullptr, {.narrow = narrow_images(type)});
        narrow.poison();
        const Tensors outputs = narrow(inputs);
        for (std::size_t i = 0; i < outputs.size(); ++i) {
          CHECK(relative_error(outputs[i], expected[i]) <= bound);
          if (!first.empty()) CHECK(identical(outputs[i], first[i]));
        }
        first = outputs;
      });
    }
  }
  CHECK(found > 0);
}

}  // namespace mend::test
