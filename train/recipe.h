// A training as a text file: every number that its result depends on.
//
// JSON with // comments. What is left out has the default below; what is not known is an error.
//
//   {
//     "task": "upscale",                     // what the network is for
//     "network": {"name": "srvgg", "num_feat": 48, "num_conv": 12, "upscale": 2, ...},
//     "start": "upscale-x2.safetensors",     // its tensors of the same key and shape; beside the recipe
//     "renamed": {"down1.1": "down1.2"},     // layers of `start`, and what they are called here
//     "initialize": {"zero": ["*.res.2"]},   // of single layers: initialize.h
//     "seed": 1, "steps": 100000, "batch": 16, "patch": 48, "margin": 8,
//     "pictures": ["photos"], "largest_side": [2048, 1024], "cache": "1G",
//     "looks": 4,                            // of so many places the one with the most detail is taken
//     "gray_share": 0.3,                     // of the samples, input and target, that are gray
//     "before": [{"do": "sharpen", "amount": [0, 1]}],      // steps that the good picture goes through; not to validate
//     "degrade": [{"do": "resize", "scale": 0.5, "filter": "matlab"}],
//     "mask": [{"do": "holes", "share": 0.1, "size": 4}],   // to inpaint: what draws the holes
//     "accumulate": 1,                       // a step's gradient is the mean of so many batches
//     "loss": "l1",                          // or a weighted sum: {"l1": 1, "ssim": 0.1}; objective.h
//     "optimizer": {"name": "adam", "learning_rate": 5e-4, "beta1": 0.9, "beta2": 0.99},
//     "schedule": {"name": "cosine", "warm_up": 500, "final": 1e-6},
//     "clip": 1.0,                           // of the gradient's norm; 0: not
//     "average": 0.999,                      // of the weights (EMA); 0: none
//     "validate": {"pictures": ["held-out"], "every": 1000, "count": 8, "side": 256},
//     "checkpoint_every": 500,
//     "checkpointing": false,                // of gradients: less memory, up to a third more time, same bits
//     "precision": "f32"                     // bf16: images between layers, and their gradients, in 16 bits
//   }
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"
#include "restore/precision.h"
#include "train/objective.h"
#include "train/schedule.h"

namespace mend {

struct Recipe {
  std::string name;  ///< the file's, without folder and extension
  std::string task;
  std::string architecture;  ///< models/registry.h
  Json hyperparameters = Json::object();
  Json initialize = Json::object();
  std::string start;  ///< a checkpoint to go on from; empty: numbers from a formula
  Json renamed = Json::object();

  std::uint64_t seed = 1;
  std::int64_t steps = 100'000;
  int batch = 16, patch = 48, margin = 8, scale = 1;
  int accumulate = 1;  ///< batches a step
  bool gray = false;
  double gray_share = 0;
  std::vector<std::string> pictures;
  std::vector<int> largest_sides = {2048};
  int looks = 1;
  std::int64_t cache_bytes = std::int64_t{1} << 30;
  /// Steps like those of `degrade` that happen to the target, before it is degraded.
  Json before = Json::array();
  Json degrade = Json::array();
  /// Steps like those of `degrade` that draw holes (train/holes.h), which the network is told as its
  /// last channel; empty: there are none.
  Json mask = Json::array();

  LossOptions loss = make_losses("l1", "loss");
  Json optimizer = Json::object();
  Schedule schedule;
  double clip = 1;
  double average = 0.999;

  std::vector<std::string> held_out;  ///< pictures to validate with
  std::int64_t validate_every = 1000;
  int validate_count = 8, validate_side = 256;
  std::int64_t checkpoint_every = 500;
  bool checkpointing = false;  ///< LateReads::kRecomputed
  /// Of images between layers and their gradients: kF32 or kBF16. Parameters, what the optimizer remembers, losses and
  /// sums are f32.
  Precision precision = Precision::kF32;

  std::string text;  ///< the file as it was read, for the checkpoint
};

/// Throws UsageError that names the file and the entry: bad JSON, an unknown entry, a value out of range.
Recipe read_recipe(const std::string& path);
/// The same from text; `path` is what messages call it, and relative pictures are looked for beside it.
Recipe parse_recipe(const std::string& text, const std::string& path);

/// What `--precision` says beside a recipe: f32 leaves the recipe's own, bf16 makes another recipe of it, which
/// no folder of the first goes on with. Throws UsageError for others.
void take_precision(Recipe& recipe, const std::string& name);

}  // namespace mend
