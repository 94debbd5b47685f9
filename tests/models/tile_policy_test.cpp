// What networks say of tiles, against what their plans know. Nothing is computed here.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "engine/error.h"
#include "models/registry.h"
#include "tests/models/released.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

/// An operation whose results keep their place depends on the position modulo something: windows. A
/// stride or an unshuffle has a grid too, but makes fewer pixels.
bool cuts_windows(const Graph& graph) {
  return std::any_of(graph.steps.begin(), graph.steps.end(), [&](const Step& step) {
    const Footprint footprint = step.op.footprint(graph.shapes(step.inputs));
    return footprint.grid > 1 && footprint.scale == 1;
  });
}

TilePolicy policy_of(const Traits& traits, const Plan& plan) {
  const bool one_size = traits.working_size > 0;
  if (plan.footprint().global || one_size || !traits.tiles_change.empty()) {
    return TilePolicy::kWholeImage;
  }
  return cuts_windows(plan.traced()) ? TilePolicy::kWindowAligned : TilePolicy::kExactHalo;
}

/// On a picture of odd sides, larger than NAFNet's local means if those are of a small fixture;
/// networks of one size get that, and would take no other.
void check_policy(const Model& model, std::set<std::string>& seen) {
  CAPTURE(model.description);
  const int size = model.traits.working_size;
  const Shapes inputs = size > 0 ? input_shapes(model, size, size) : input_shapes(model, 261, 259);
  const TilePolicy expected = policy_of(model.traits, Plan(model.forward, inputs));
  CHECK(name_of(model.traits.tile_policy) == name_of(expected));
  seen.insert(model.name);
}

/// The small fixtures below `folder`: weights and inputs in one file.
std::vector<std::string> small_fixtures(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool is_small = name.ends_with(".safetensors") && !name.ends_with(".full.safetensors") &&
                          !name.ends_with(".real.safetensors");
    if (is_small && entry.path().parent_path().filename() != "ops") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// Networks whose weights are made by formula.
void check_manifests(const std::string& folder, std::set<std::string>& seen) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = entry.path();
    if (path.ends_with(".keys.json")) check_policy(load_model(fill_checkpoint(path)), seen);
  }
}

void check_small_fixtures(const std::string& folder, std::set<std::string>& seen) {
  for (const std::string& path : small_fixtures(folder)) {
    CAPTURE(path);
    const Golden golden = load_golden(path);
    try {
      identify(golden.weights);
    } catch (const CheckpointError&) {
      continue;  // of a network that is yet to come
    }
    check_policy(load_model(golden.weights), seen);
  }
}

}  // namespace

TEST_CASE("networks: what they say of tiles is what their traces tell") {
  std::set<std::string> seen;
  check_small_fixtures(data_path("goldens"), seen);
  check_manifests(data_path("goldens"), seen);
  CHECK(seen.size() > 20);
  if (!require_data(shared_path("goldens")) || !require_data(shared_path("weights"))) return;
  check_small_fixtures(shared_path("goldens"), seen);
  for (const Released& released : kReleased) {
    const Model model =
        load_model(read_checkpoint(shared_path(std::string("weights/") + released.weights)));
    check_policy(model, seen);
  }
  for (const Architecture& architecture : architectures()) {
    CHECK_MESSAGE(seen.contains(architecture.name), architecture.name << " has no fixture");
  }
}

}  // namespace mend::test
