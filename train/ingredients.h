// What a training is made of, by its recipe: the first checkpoint and the pairs to learn from.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/trainable.h"
#include "train/pairs.h"
#include "train/recipe.h"

namespace mend {

/// Reads the checkpoint of this name: a path, or whatever else the caller knows by names.
using OpenCheckpoint = std::function<Checkpoint(const std::string& name)>;

/// What the recipe starts from: numbers by its rules, a checkpoint, or those of its tensors that fit; `tell`
/// says how many. Throws as initial_checkpoint, start_layers and `open` do, UsageError if no tensor fits.
Checkpoint first_checkpoint(const Recipe& recipe, const NoteCallback& tell,
                            const OpenCheckpoint& open);

/// Of patches whose input has `patch` pixels a side.
PairOptions pair_options(const Recipe& recipe, const TrainableModel& model, std::uint64_t seed,
                         int patch);

/// Pairs of the pictures in `places`. Throws as PictureSet and make_degradation do.
std::unique_ptr<PairSource> pairs_of(const Recipe& recipe, const std::vector<std::string>& places,
                                     const PairOptions& options, const NoteCallback& tell);

/// Throws UsageError unless recipe and network agree on whether there are holes.
void check_mask(const Recipe& recipe, const TrainableModel& model);

}  // namespace mend
