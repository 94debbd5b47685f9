// TensorFlow.js layers-models: a description (model.json) and the weights of its layers in shards.
//
//   {"format": "layers-model", "modelTopology": {...}, "weightsManifest": [
//     {"paths": ["group1-shard1of1.bin"],
//      "weights": [{"name": "F_m1/kernel", "shape": [3,3,3,64], "dtype": "float32"}, ...]}]}
//
// Source: WeightsManifestConfig of tfjs-core/src/io/types.ts. The shards of a group are one run of
// bytes that its weights fill in their order, without gap. The topology is not read: networks are
// known by the names and shapes of their weights, as for every other format.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weights/checkpoint.h"

namespace mend {

struct TfjsWeight {
  std::string name;  ///< "F_m1/kernel"
  StoredType type = StoredType::kF32;
  std::vector<std::int64_t> shape;  ///< Keras' order: HWIO
  std::int64_t bytes = 0;           ///< what type and shape need
};

struct TfjsGroup {
  std::vector<std::string> paths;  ///< plain names of files beside model.json, in order
  std::vector<TfjsWeight> weights;
};

bool looks_like_tfjs(std::string_view text);

/// Throws CheckpointError naming `source`: no JSON, too large or nested too deeply, no layers-model, a
/// shard outside the folder, a type other than float32 (or stored as float16), an impossible shape.
std::vector<TfjsGroup> parse_tfjs_manifest(std::string_view text, const std::string& source);

/// The weights of `group`, whose shards make up `data`, in PyTorch's layouts:
///   NAME/kernel of four extents  NAME.weight, HWIO as OIHW
///   NAME/kernel of two           NAME.weight, [in,out] as [out,in]
///   all others                   as stored, dots for slashes: NAME.bias
/// They share `data`. Throws CheckpointError if bytes are missing or left over.
std::map<std::string, StoredTensor> read_tfjs_weights(const TfjsGroup& group,
                                                      const std::shared_ptr<const Bytes>& data,
                                                      const std::string& source);

/// Reads a model.json, which is `file`, and its shards beside it.
Checkpoint read_tfjs(const std::string& path, const std::shared_ptr<const Bytes>& file);

}  // namespace mend
