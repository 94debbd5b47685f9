// Whole networks that keep their images in 16 bits on the CPU.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>

#include "engine/diagnose.h"
#include "engine/parallel.h"
#include "engine/plan.h"
#include "engine/trace.h"
#include "kernels/convert/convert.h"
#include "tests/models/each_fixture.h"
#include "tests/support/compare.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

/// In `type`, on one thread and on two, against f32.
void check_network(const Model& model, const Tensors& inputs, DType type, double bound) {
  CAPTURE(name_of(type));
  const Tensors expected = Plan(model.forward, shapes_of(inputs))(inputs);
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

}  // namespace

TEST_CASE("narrow: networks give what the official implementations give, within the rounding") {
  int tried = 0;
  for_each_fixture([&](const Model& model, const Tensors& inputs) {
    ++tried;
    check_network(model, inputs, DType::kF16, 1e-2);
    // It picks codes by the largest score, of which several are nearly equal.
    if (model.name != "codeformer") check_network(model, inputs, DType::kBF16, 8e-2);
  });
  CHECK(tried > 0);
}

TEST_CASE("narrow: images of networks with attention are bf16, unless published weights fit f16") {
  std::set<std::string> bf16, attends;
  if (!for_each_fixture([&](const Model& model, const Tensors& inputs) {
        if (model.traits.narrow_type == DType::kBF16) bf16.insert(model.name);
        for (const Step& step : trace(model.forward, shapes_of(inputs)).steps) {
          if (step.op.name().find("attention") != std::string_view::npos) {
            attends.insert(model.name);
          }
        }
      })) {
    return;
  }
  attends.erase("iat");         // docs/gpu.md has what was measured
  attends.insert("fftformer");  // attends in the spectrum, which no operation is named after
  for (const std::string& name : bf16) {
    CAPTURE(name);
    CHECK(attends.contains(name));
  }
  for (const std::string& name : attends) {
    CAPTURE(name);
    CHECK(bf16.contains(name));
  }
}

TEST_CASE("narrow: images of HiT-SRF with its published weights outgrow f16, and are bf16") {
  const std::string path = shared_path("weights/hit_srf_x4/hit_srf_x4.safetensors");
  if (!require_data(path)) return;
  const Model model = load_model(read_checkpoint(path));
  CHECK(model.traits.narrow_type == DType::kBF16);
  const Tensor x = random_tensor({1, 64, 64, 3}, 1);
  const auto is_finite_in = [&](DType type) {
    Plan plan(model.forward, {x.shape()}, nullptr, {.narrow = narrow_images(type)});
    return all_finite(plan({x})[0]);
  };
  CHECK_FALSE(is_finite_in(DType::kF16));
  CHECK(is_finite_in(DType::kBF16));
}

}  // namespace mend::test
