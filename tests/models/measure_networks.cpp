// Writes models/measured.json: parameters, arithmetic and errors of every network, from the
// fixtures and published checkpoints outside the repository. `make docs` runs it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/plan.h"
#include "models/registry.h"
#include "tests/models/fixture_outputs.h"
#include "tests/models/released.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

constexpr int kSize = 256;  // of the picture, where the authors have no size of their own

/// `value` with that many digits that count: the rest differs between machines.
double rounded(double value, int digits) {
  return std::stod(fmt::format("{:.{}e}", value, digits - 1));
}

Json facts_of(const Model& model, const std::string& name, const char* weights) {
  const Traits& traits = model.traits;
  const int size = traits.working_size > 0 ? traits.working_size : kSize;
  const Plan plan(model.forward, input_shapes(model, size, size));
  const double megapixels = size * size / 1e6;
  return {{"network", model.name},
          {"name", name},
          {"weights", weights},
          {"hyperparameters", model.hyperparameters},
          {"tasks", traits.tasks},
          {"tile_policy", name_of(traits.tile_policy)},
          {"parameters", model.parameters},
          {"size", size},
          {"gflops_per_megapixel", rounded(plan.cost().flops / 1e9 / megapixels, 4)}};
}

/// The largest error over the outputs that are known; `expected` may have holes.
double worst_error(const Model& model, const std::vector<Tensor>& inputs,
                   const std::vector<std::pair<Tensor, int>>& expected) {
  Shapes shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  Plan plan(model.forward, shapes);
  const std::vector<Tensor> outputs = plan(inputs);
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [tensor, stride] = expected[i];
    if (!tensor.defined()) continue;
    const double error = max_error(thinned(outputs[i], stride), tensor).value;
    worst = error <= worst ? worst : error;  // NaN goes on
  }
  return worst;
}

void add_error(Json& facts, double error, double tolerance) {
  if (!(error <= tolerance)) {
    throw NumericError(fmt::format("{}: the error is {}, and {} is allowed",
                                   facts.at("name").get<std::string>(), error, tolerance));
  }
  facts["error"] = rounded(error, 2);
  facts["tolerance"] = rounded(tolerance, 2);
}

void add_fixture_error(Json& facts, const Model& model, const Golden& golden) {
  std::vector<Tensor> inputs;
  for (const std::string& name : golden.inputs()) inputs.push_back(golden.at(name));
  std::vector<std::pair<Tensor, int>> expected;
  for (const std::string& name : model.traits.outputs) {
    expected.push_back(stored_output(golden, name));
  }
  add_error(facts, worst_error(model, inputs, expected),
            golden.tolerance.at("float32_max_abs").get<double>());
}

bool is_known(const Checkpoint& weights) {
  try {
    identify(weights);
    return true;
  } catch (const CheckpointError&) {
    return false;  // of a network that is yet to come
  }
}

/// A configuration with weights by a formula, and its fixture if there is one; null if no network
/// knows the keys. `weights_are`: "formula" for an official one, "small" for another.
Json measure_manifest(const std::filesystem::path& manifest, const char* weights_are) {
  const std::string path = manifest.string();
  const std::string stem = path.substr(0, path.size() - std::string(".keys.json").size());
  const Checkpoint weights = fill_checkpoint(path);
  if (!is_known(weights)) return nullptr;
  const Model model = load_model(weights);
  Json facts = facts_of(model, std::filesystem::path(stem).filename().string(), weights_are);
  if (!std::filesystem::exists(stem + ".full.safetensors")) return facts;
  add_fixture_error(facts, model, load_golden(stem + ".full.safetensors"));
  return facts;
}

Json measure_released(const Released& released) {
  const std::filesystem::path weights = shared_path(std::string("weights/") + released.weights);
  const Model model = load_model(read_checkpoint(weights.string()));
  const Golden golden =
      load_golden(shared_path(std::string("goldens_real/") + released.golden + ".safetensors"));
  std::vector<Tensor> inputs = {golden.at(released.input)};
  if (released.sigma > 0) inputs.push_back(Tensor::full({1, 1, 1, 1}, released.sigma));
  std::vector<std::pair<Tensor, int>> expected;
  for (const std::string name : released.outputs) expected.emplace_back(golden.at(name), 1);
  Json facts = facts_of(model, weights.stem().string(), "published");
  add_error(facts, worst_error(model, inputs, expected),
            kReleasedTolerance * double{model.traits.white});
  return facts;
}

std::vector<std::filesystem::path> files_below(const std::string& folder, const char* ending) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().string().ends_with(ending)) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// Whether the network's full size was compared with the authors' code.
bool is_compared(const std::vector<Json>& entries, const std::string& network) {
  return std::any_of(entries.begin(), entries.end(), [&](const Json& entry) {
    return entry.at("network") == network && entry.contains("error") &&
           entry.at("weights") != "small";
  });
}

/// A line an entry, so that a new network is a new line.
void write(const std::string& path, const std::vector<Json>& entries) {
  std::string text = "{\"networks\": [\n";
  for (const Json& entry : entries) {
    text += "  " + entry.dump() + (&entry == &entries.back() ? "\n" : ",\n");
  }
  write_file(path, text + "]}\n");
}

void measure(const std::string& output) {
  std::vector<Json> entries;
  const auto add = [&](const Json& entry) {
    std::printf("%s\n", entry.dump().c_str());
    std::fflush(stdout);
    entries.push_back(entry);
  };
  for (const auto& manifest : files_below(shared_path("goldens"), ".keys.json")) {
    const Json facts = measure_manifest(manifest, "formula");
    if (facts.is_null()) {
      std::printf("left out: %s\n", manifest.c_str());
    } else {
      add(facts);
    }
  }
  std::set<std::string> seen;  // files, and outputs: two formats of the same weights count once
  for (const Released& released : kReleased) {
    const std::string output_name = released.golden + std::string(" ") + released.outputs.front();
    const bool new_file = seen.insert(released.weights).second;
    const bool new_output = seen.insert(output_name).second;
    if (new_file && new_output) add(measure_released(released));
  }
  for (const auto& manifest : files_below(data_path("goldens"), ".keys.json")) {
    if (!is_compared(entries, manifest.parent_path().filename().string())) {
      add(measure_manifest(manifest, "small"));
    }
  }
  for (const auto& fixture : files_below(data_path("goldens"), ".safetensors")) {
    if (fixture.string().ends_with(".full.safetensors")) continue;  // without weights, as above
    const Golden golden = load_golden(fixture.string());
    const Model model = load_model(golden.weights);
    if (is_compared(entries, model.name)) continue;
    Json facts = facts_of(model, fixture.stem().string(), "small");
    add_fixture_error(facts, model, golden);
    add(facts);
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Json& a, const Json& b) {
    return a.at("network").get<std::string>() < b.at("network").get<std::string>();
  });
  write(output, entries);
}

}  // namespace
}  // namespace mend::test

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: mend_measure_networks OUTPUT.json\n", stderr);
    return 2;
  }
  try {
    mend::test::measure(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
