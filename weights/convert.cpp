#include "weights/convert.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/dtype.h"
#include "engine/error.h"
#include "weights/safetensors.h"

namespace mend {
namespace {

StoredTensor rounded_to_half(const std::string& key, const StoredTensor& tensor) {
  std::vector<Half> halves;
  for (const float value : tensor.to_f32()) {
    halves.push_back(to_half(value));
    if (std::isinf(to_float(halves.back()))) {
      throw CheckpointError(
          fmt::format("{}: {} is beyond the range of f16; convert without half", key, value));
    }
  }
  const auto bytes = std::as_bytes(std::span(halves));
  return make_stored_tensor(key, StoredType::kF16, tensor.shape,
                            Bytes::own({bytes.begin(), bytes.end()}));
}

}  // namespace

void convert_to_safetensors(const Checkpoint& checkpoint, const std::string& path,
                            const ConvertOptions& options) {
  std::map<std::string, StoredTensor> tensors;
  for (const auto& [key, tensor] : checkpoint.tensors) {
    const std::string name = options.rename ? options.rename(key) : key;
    if (name.empty()) continue;
    const bool halve = options.half && tensor.type == StoredType::kF32;
    if (!tensors.emplace(name, halve ? rounded_to_half(key, tensor) : tensor).second) {
      throw CheckpointError(fmt::format("{}: two keys would become {}", checkpoint.path, name));
    }
  }
  std::map<std::string, std::string> metadata = options.metadata;
  metadata.insert(checkpoint.metadata.begin(), checkpoint.metadata.end());
  write_safetensors(path, tensors, metadata);
}

}  // namespace mend
