// Writing a checkpoint in another form.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "weights/checkpoint.h"

namespace mend {

struct ConvertOptions {
  /// The name a key gets in the new file; empty leaves the tensor out. The default keeps all keys.
  std::function<std::string(const std::string& key)> rename;
  /// Store f32 tensors as f16, rounded to nearest even. A value beyond 65504 is a CheckpointError.
  bool half = false;
  /// Added to the checkpoint's own metadata, before which it goes.
  std::map<std::string, std::string> metadata;
};

/// Writes `checkpoint` as safetensors. Types stay as they are, but for `half`; strided tensors become
/// dense. Throws CheckpointError if two keys get the same name, WriteError if the disk is full.
void convert_to_safetensors(const Checkpoint& checkpoint, const std::string& path,
                            const ConvertOptions& options = {});

}  // namespace mend
