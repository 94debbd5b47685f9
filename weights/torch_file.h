// The two file formats of torch.save. Both hold a pickle (weights/pickle.h) and the raw bytes of the
// storages it refers to.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "weights/checkpoint.h"

namespace mend {

/// The first entry of a zip archive, or the end of an empty one.
bool looks_like_zip(std::span<const std::byte> file);
/// PyTorch 1.6 and later: an archive with NAME/data.pkl and one entry NAME/data/KEY a storage.
/// Throws CheckpointError; also for archives that would unpack to far more than a checkpoint.
Checkpoint read_torch_zip(const std::string& path, std::shared_ptr<const Bytes> file);

/// A pickle, which the older format starts with.
bool looks_like_torch_legacy(std::span<const std::byte> file);
/// Before PyTorch 1.6: pickles of a magic number, a version, facts about the system, the object and
/// the storages' keys, then for each key the number of elements (8 bytes) and the elements.
Checkpoint read_torch_legacy(const std::string& path, std::shared_ptr<const Bytes> file);

}  // namespace mend
