// How a network takes its parameters from a checkpoint.
//
// A Scope is a path in the state_dict: `p / "body" / 7 / "conv1"`. Asking it for a kernel declares
// the parameter, checks its shape and binds it, so its name is written once:
//
//   auto store = std::make_shared<ParameterStore>(read_checkpoint(path), "SRCNN(features 64)");
//   SRCNN network{Scope(store)};   // each layer asks for its parameters
//   store->finish();               // one error for all that is missing, misshaped or left over
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"
#include "weights/checkpoint.h"
#include "weights/parameter.h"

namespace mend {

/// A checkpoint, and what a network has asked of it so far.
class ParameterStore {
 public:
  /// `network` is how errors call it: "RRDBNet(features 64, growth 32)".
  ParameterStore(Checkpoint checkpoint, std::string network);

  /// Parameters for a network without a checkpoint, to time it: whatever is asked for is there, with
  /// numbers from a formula that keep activations near 1. `has` and `shape_of` know of nothing, so a
  /// network takes the forms of its parameters that need no work at load.
  static std::shared_ptr<ParameterStore> untrained(std::string network);

  const Checkpoint& checkpoint() const { return checkpoint_; }

  /// This key, or all keys below this path, may be missing or surplus: buffers that can be
  /// recomputed, such as `relative_position_index` and `attn_mask`.
  void ignore(std::string key_or_path);

  /// Throws one CheckpointError, one line, that names the missing, misshaped and surplus keys:
  /// the first three of each and how many there are. `*.num_batches_tracked` is always ignored.
  void finish() const;

  /// The keys that have been asked for, whether they are there or not.
  const std::set<std::string>& used() const { return used_; }
  /// What has been asked for, by key, as it was given.
  const std::map<std::string, Parameter>& bound() const { return bound_; }
  /// From here on these tensors are given in place of the checkpoint's, each of the shape that the
  /// network asks for: parameters on a tape, or placeholders of a trace.
  void replace(std::map<std::string, Tensor> tensors) { replaced_ = std::move(tensors); }

  /// Of an untrained store: elements by key.
  const std::map<std::string, std::int64_t>& made_up() const { return made_up_; }

 private:
  friend class Scope;
  const StoredTensor* find(const std::string& key) const;
  bool ignored(const std::string& key) const;
  /// Zeros for a key that cannot be used. Throws what is wrong so far before they fill the memory:
  /// the extents come from the file, and a small file can claim a large network.
  Tensor stand_in(const std::string& key, const Shape& shape);
  Tensor made_up(const std::string& key, const Shape& shape);
  std::vector<std::string> faults() const;
  [[noreturn]] void refuse(const std::vector<std::string>& faults) const;

  Checkpoint checkpoint_;
  std::string network_;
  std::set<std::string> ignored_;
  std::set<std::string> used_;
  std::vector<std::string> missing_;
  std::vector<std::string> misshaped_;  // "conv1.weight: checkpoint has ..., X wants ..."
  std::int64_t stand_in_bytes_ = 0;
  bool untrained_ = false;
  std::map<std::string, std::int64_t> made_up_;
  std::map<std::string, Parameter> bound_;
  std::map<std::string, Tensor> replaced_;
};

/// A path in a store; cheap to copy. All tensors are f32 and bear their full key as name. A key that
/// is missing or misshaped is noted for finish(), and zeros are returned in its place.
class Scope {
 public:
  explicit Scope(std::shared_ptr<ParameterStore> store, std::string path = "");

  Scope operator/(std::string_view name) const;
  Scope operator/(int index) const;

  const std::string& path() const { return path_; }
  ParameterStore& store() const { return *store_; }

  /// Whether the checkpoint has this key; does not count as a use.
  bool has(std::string_view name) const;
  /// Whether the checkpoint has any key below this path.
  bool any() const;
  /// The stored extents, in the file's order; empty if the key is absent.
  std::vector<std::int64_t> shape_of(std::string_view name) const;
  /// ParameterStore::ignore below this path.
  void ignore(std::string_view name) const;

  /// Convolution: stored OIHW [K,C,R,S] -> {K,R,S,C}. C: input channels of one group.
  Tensor kernel(std::string_view name, int K, int R, int S, int C) const;
  /// The same, stored with other extents: its elements stand in the order k,c,r,s.
  Tensor kernel_stored_as(std::string_view name, const std::vector<std::int64_t>& stored, int K,
                          int R, int S, int C) const;
  /// Transposed convolution: stored [groups·C, K/groups, R, S] -> {K,R,S,C}, the layout of kernel().
  /// K: all output channels; C: input channels of one group, as in kernel().
  Tensor transposed_kernel(std::string_view name, int K, int R, int S, int C, int groups = 1) const;
  /// Any stored extents with `count` elements in all -> {1,1,1,count}.
  Tensor vector(std::string_view name, int count) const;
  /// Stored [rows, columns], a Linear layer's [out, in] -> {1,1,rows,columns}.
  Tensor matrix(std::string_view name, int rows, int columns) const;
  /// Stored exactly as `stored`; its row-major elements become the NHWC elements of `shape`.
  Tensor dense(std::string_view name, const std::vector<std::int64_t>& stored,
               const Shape& shape) const;
  /// A kernel or vector that the network has worked out of the parameters below `sources`: trained, and
  /// stored, in their place.
  Tensor derived(std::string_view name, const Tensor& value,
                 const std::vector<std::string>& sources) const;

 private:
  std::string key(std::string_view name) const;
  /// The tensor if it is there with the extents `wanted`; else notes the fault and returns null.
  /// `order` permutes extents for the message ("k,r,s,c"); empty means as stored.
  const StoredTensor* claim(const std::string& key, const std::vector<std::int64_t>& wanted,
                            const std::vector<int>& order, std::string_view letters) const;
  /// What stands in the place of `parameter`, or is bound to its key already, or else what `load` gives;
  /// noted under its key.
  Tensor bind(Parameter parameter, const Shape& shape, const std::function<Tensor()>& load) const;

  std::shared_ptr<ParameterStore> store_;
  std::string path_;
};

}  // namespace mend
