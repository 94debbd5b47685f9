// safetensors: 8 bytes little-endian header length N, N bytes of JSON, then the tensors' bytes.
//
//   {"conv.weight": {"dtype": "F32", "shape": [64,3,3,3], "data_offsets": [0, 6912]}, ...,
//    "__metadata__": {"key": "text"}}
//
// Source: the format description of huggingface/safetensors. Tensors are dense and row-major; the
// offsets count from the end of the header and tile the rest of the file without gap or overlap.
#pragma once

#include <map>
#include <span>
#include <string>

#include "weights/checkpoint.h"

namespace mend {

/// Whether the ninth byte opens a JSON object.
bool looks_like_safetensors(std::span<const std::byte> file);

/// Reads all tensors in place: they share `file`. Throws CheckpointError that names `path` and, where
/// there is one, the tensor: impossible header, unknown type, duplicate key, a range that is outside,
/// overlaps, leaves a hole or does not fit shape and type.
Checkpoint read_safetensors(const std::string& path, std::shared_ptr<const Bytes> file);

/// Writes beside `path` and renames when all is on the disk. Throws WriteError.
void write_safetensors(const std::string& path, const std::map<std::string, StoredTensor>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace mend
