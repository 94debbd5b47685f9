#include "train/ingredients.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "engine/error.h"
#include "train/initialize.h"

namespace mend {
namespace {

/// The checkpoint with layers called otherwise: `rules` is {"old": "new"}, all at once. So a deeper network
/// starts from a shallower one's layers. Throws UsageError if there is no such layer.
Checkpoint renamed(Checkpoint checkpoint, const Json& rules) {
  const std::map<std::string, StoredTensor> tensors = std::move(checkpoint.tensors);
  checkpoint.tensors.clear();
  std::map<std::string, std::string> names;
  for (const auto& [old, name] : rules.items()) {
    if (!name.is_string()) throw UsageError(fmt::format("renamed: '{}' needs a name", old));
    names[old] = name.get<std::string>();
  }
  std::set<std::string> found;
  for (const auto& [key, tensor] : tensors) {
    std::string now = key;
    for (const auto& [old, name] : names) {
      if (!key.starts_with(old + ".")) continue;
      now = name + key.substr(old.size());
      found.insert(old);
    }
    checkpoint.tensors[now] = tensor;
  }
  for (const auto& [old, name] : names) {
    if (found.contains(old)) continue;
    throw UsageError(fmt::format("renamed: {} has no layer '{}'", checkpoint.path, old));
  }
  return checkpoint;
}

/// Puts the tensors of `other` with the same key and shape into `checkpoint`; how many there are.
/// Throws UsageError if there are none.
int take_matching(Checkpoint& checkpoint, const Checkpoint& other) {
  int taken = 0;
  for (auto& [key, tensor] : checkpoint.tensors) {
    const auto found = other.tensors.find(key);
    if (found == other.tensors.end() || found->second.shape != tensor.shape) continue;
    tensor = found->second;
    ++taken;
  }
  if (taken == 0) {
    throw UsageError(fmt::format("{}: none of its tensors fits the recipe's network", other.path));
  }
  return taken;
}

}  // namespace

Checkpoint first_checkpoint(const Recipe& recipe, const NoteCallback& tell,
                            const OpenCheckpoint& open) {
  if (recipe.architecture.empty()) {
    Checkpoint first = open(recipe.start);
    if (!recipe.task.empty()) first.metadata["task"] = recipe.task;
    return first;
  }
  const Architecture& architecture = architecture_named(recipe.architecture);
  Checkpoint first = initial_checkpoint(architecture, recipe.hyperparameters, recipe.seed);
  start_layers(first, recipe.initialize);
  first.metadata["task"] = recipe.task;
  if (!recipe.start.empty()) {
    const int taken = take_matching(first, renamed(open(recipe.start), recipe.renamed));
    tell(fmt::format("{}: {} of {} tensors are taken from there", recipe.start, taken,
                     first.tensors.size()));
  }
  return first;
}

PairOptions pair_options(const Recipe& recipe, const TrainableModel& model, std::uint64_t seed,
                         int patch) {
  PairOptions options;
  options.colours = model.traits().gives_colours();
  options.seed = seed;
  options.patch = patch;
  options.scale = recipe.scale;
  options.margin = recipe.margin;
  options.looks = recipe.looks;
  options.gray = recipe.gray;
  options.gray_share = recipe.gray_share;
  return options;
}

std::unique_ptr<PairSource> pairs_of(const Recipe& recipe, const std::vector<std::string>& places,
                                     const PairOptions& options, const NoteCallback& tell) {
  PictureSetOptions set;
  set.largest_sides = recipe.largest_sides;
  set.smallest_side = PairSource::smallest_side(options);
  set.cache_bytes = recipe.cache_bytes;
  set.note = tell;
  const Degradation holes =
      recipe.mask.empty() ? Degradation() : make_degradation(recipe.mask, "mask");
  return std::make_unique<PairSource>(std::make_shared<PictureSet>(places, set),
                                      make_degradation(recipe.degrade), options, holes);
}

void check_mask(const Recipe& recipe, const TrainableModel& model) {
  const Condition condition = model.traits().condition;
  const bool takes_one = condition == Condition::kMaskMap || condition == Condition::kMask;
  if (takes_one != recipe.mask.empty()) return;
  throw UsageError(
      takes_one
          ? fmt::format("training: {} fills holes; the recipe needs 'mask', steps to draw them",
                        model.description())
          : fmt::format("training: the recipe has a 'mask', but {} does not take one for {}; it "
                        "needs a channel beside the picture's and the task inpaint",
                        model.description(), recipe.task));
}

}  // namespace mend
