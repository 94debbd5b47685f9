// What PyTorch's pickles mean: the short list of calls that are allowed, storages, and the way from
// the saved objects to named tensors.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "weights/checkpoint.h"
#include "weights/pickle.h"

namespace mend {

/// Answers the calls that torch.save writes; refuses all others by name.
class TorchHost : public pickle::PickleHost {
 public:
  explicit TorchHost(std::string path) : path_(std::move(path)) {}

  pickle::Value* call(pickle::Arena& arena, const std::string& callable,
                      const pickle::Items& arguments) override;
  pickle::Value* persistent(pickle::Arena& arena, pickle::Value* id) override;

  /// All storages that the pickle referred to, by key.
  const std::map<std::string, pickle::StorageValue>& storages() const { return storages_; }

 private:
  pickle::Value* rebuild_tensor(pickle::Arena& arena, const pickle::Items& arguments) const;
  pickle::Value* make_dict(pickle::Arena& arena, const pickle::Items& arguments) const;
  pickle::StorageValue parse_storage(const pickle::Items& id) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  std::map<std::string, pickle::StorageValue> storages_;
};

/// The tensors that a saved object holds, under the names that its state_dict gives them, and the
/// plain numbers and texts beside them.
struct TorchState {
  std::map<std::string, pickle::TensorValue> tensors;
  std::map<std::string, std::string> scalars;
};

/// Looks into the containers that training programs put around a state_dict (`params_ema`, `params`,
/// `state_dict`, ...), and into saved modules. Throws CheckpointError if it is nested too deeply.
TorchState find_state(const pickle::Value& root, const std::string& path);

/// The tensors of `state`, on the bytes of their storages. Throws CheckpointError for those that
/// leave their storage.
Checkpoint bind_storages(const std::string& path, const TorchState& state,
                         const std::map<std::string, std::shared_ptr<const Bytes>>& storages);

}  // namespace mend
