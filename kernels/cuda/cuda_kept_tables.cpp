#include "kernels/cuda/cuda_kept_tables.h"

#include <map>
#include <mutex>
#include <utility>

#include "engine/cuda/cuda_device.h"

namespace mend {
namespace {

/// Of all GPUs. A network has a few dozen at most, of some kilobytes each; a program that goes through images
/// of many sizes would gather more.
class KeptTables {
 public:
  /// A graph that reads a table does so at its address, so it keeps the table too.
  Tensor kept(const std::string& key, const std::function<std::vector<std::byte>()>& make) {
    CudaDevice& device = current_cuda_device();
    const Tensor table = find_or_make(device, key, make);
    device.keep_for_recording(table.storage());
    return table;
  }

 private:
  Tensor find_or_make(CudaDevice& device, const std::string& key,
                      const std::function<std::vector<std::byte>()>& make) {
    const CudaDevice::Unrecorded now(device);
    const std::scoped_lock lock(mutex_);
    const std::pair<const Device*, std::string> place{&device, key};
    if (const auto found = tables_.find(place); found != tables_.end()) return found->second;
    const std::vector<std::byte> bytes = make();
    // What is dropped stays valid for kernels that are launched already: memory is reused in their order.
    if (tables_.size() >= kMostTables || bytes_ + bytes.size() > kMostBytes) {
      tables_.clear();
      bytes_ = 0;
    }
    const Tensor table =
        Tensor::empty(vector_shape(static_cast<int>(bytes.size())), DType::kU8, device);
    device.copy(table.storage()->data(), bytes.data(), bytes.size());
    tables_.emplace(place, table);
    bytes_ += bytes.size();
    return table;
  }

  static constexpr std::size_t kMostTables = 256, kMostBytes = 16 << 20;

  std::mutex mutex_;
  std::map<std::pair<const Device*, std::string>, Tensor> tables_;
  std::size_t bytes_ = 0;
};

}  // namespace

Tensor kept_table(const std::string& key, const std::function<std::vector<std::byte>()>& make) {
  static auto& tables = *new KeptTables;  // never destroyed, as the GPUs are not
  return tables.kept(key, make);
}

}  // namespace mend
