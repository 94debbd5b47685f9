// The checkpoints that the program carries: trained here, with the recipes of train/recipes, on the
// photographs of weights/embedded/DATA.md. f16 safetensors, built in as they are.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "weights/checkpoint.h"

namespace mend {

struct EmbeddedCheckpoint {
  std::string_view name;  ///< the file's without extension, and the recipe's: "upscale-x2"
  std::span<const std::byte> file;
};

/// In alphabetical order.
std::span<const EmbeddedCheckpoint> embedded_checkpoints();

/// Null if there is none of this name.
const EmbeddedCheckpoint* find_embedded(std::string_view name);

/// Reads and checks it as it would be from a file. Throws CheckpointError.
Checkpoint read_embedded(const EmbeddedCheckpoint& embedded);

}  // namespace mend
