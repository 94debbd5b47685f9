// Official fixtures that are small enough for a simulated GPU.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "engine/error.h"
#include "engine/plan.h"
#include "tests/models/each_fixture.h"

namespace mend::test {

/// The model's plan on the GPU, or none where an operation has no kernel for it, or where some constants are
/// computed at once, on the CPU, which has no rung of the name that is forced.
inline std::unique_ptr<Plan> plan_on_gpu(const Model& model, const Shapes& shapes,
                                         const PlanOptions& options) {
  try {
    return std::make_unique<Plan>(model.forward, shapes, nullptr, options);
  } catch (const UsageError& error) {
    const std::string why = error.what();
    const bool is_known = why.find("has no kernel for a GPU yet") != std::string::npos ||
                          why.find("names no rung on this device") != std::string::npos;
    if (!is_known) throw;
    return nullptr;
  }
}

/// Calls compare(model, inputs, expected) for each small fixture; `expected` is what the CPU's plan gives. Returns
/// whether all fixtures are here.
template <class Compare>
bool for_each_small_fixture(const Compare& compare) {
  constexpr double kMostFlops = 3e8;  // the simulator takes seconds for more
  return for_each_fixture([&](const Model& model, const Tensors& inputs) {
    Plan here(model.forward, shapes_of(inputs));
    if (here.cost().flops <= kMostFlops) compare(model, inputs, here(inputs));
  });
}

}  // namespace mend::test
