#include "weights/embedded.h"

#include <algorithm>
#include <string>

namespace mend {

const EmbeddedCheckpoint* find_embedded(std::string_view name) {
  const std::span<const EmbeddedCheckpoint> all = embedded_checkpoints();
  const auto found = std::ranges::find(all, name, &EmbeddedCheckpoint::name);
  return found == all.end() ? nullptr : &*found;
}

Checkpoint read_embedded(const EmbeddedCheckpoint& embedded) {
  return read_checkpoint(std::string(embedded.name), Bytes::lasting(embedded.file));
}

}  // namespace mend
