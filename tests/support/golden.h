// Fixtures: inputs and outputs of official implementations, and weights made by a formula.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/tensor.h"
#include "weights/checkpoint.h"

namespace mend::test {

/// The contents of one fixture file.
struct Golden {
  /// Everything but `weights/...`, as f32 under its name in the file ("input", "output",
  /// "grads/conv.weight", "buffers/..."). See to_tensor for the extents.
  std::map<std::string, Tensor> tensors;
  /// The same as it is stored: for other types, or when the layout of to_tensor does not suit.
  Checkpoint stored;
  /// The tensors below `weights/` under their official keys, with the fixture's metadata.
  Checkpoint weights;
  std::map<std::string, std::string> metadata;
  nlohmann::json hyperparameters;  ///< of the official constructor
  nlohmann::json tolerance;        ///< "float32_max_abs", "grad_rtol", ...

  bool has(const std::string& name) const { return tensors.contains(name); }
  /// The tensor of that name; throws InputError with the names there are.
  const Tensor& at(const std::string& name) const;
  /// The names of the inputs in call order; ["input"] if the file does not say.
  std::vector<std::string> inputs() const;
  std::vector<std::string> outputs() const;
};

/// Throws CheckpointError if the file is not a fixture.
Golden load_golden(const std::string& path);

/// A stored tensor as ours, f32:
///   4-D NCHW -> {n,h,w,c} (so OIHW -> {K,R,S,C});  3-D [n,l,c] -> {1,n,l,c};
///   2-D [rows,columns] -> {1,1,rows,columns};  1-D, 0-D -> {1,1,1,count}
Tensor to_tensor(const StoredTensor& stored);

/// The checkpoint that a `.keys.json` manifest describes: every key that has a `fill` is filled by
/// the procedural rule of the fixtures, blurs and means that are the same in every checkpoint are
/// filled with these; other keys (buffers to be recomputed) are left out.
/// The metadata has `hyperparameters` and `network`.
Checkpoint fill_checkpoint(const std::string& keys_json_path);

/// Values of the procedural rule for one key: offset + scale·(2u - 1), u in [0,1) by SplitMix64.
std::vector<float> procedural_fill(const std::string& key, std::uint64_t fill_seed, double offset,
                                   double scale, std::int64_t count);

}  // namespace mend::test
