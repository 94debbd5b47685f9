#include "kernels/cuda/cuda_kept_tables.h"

#include <map>
#include <mutex>
#include <string>

#include "engine/cuda/cuda_device.h"

namespace mend {
namespace {

/// Of all GPUs. A network has a few dozen at most on each, of some kilobytes each; a program that goes through
/// images of many sizes would gather more.
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
    auto& [tables, table_bytes] = of_device_[&device];
    if (const auto found = tables.find(key); found != tables.end()) return found->second;
    const std::vector<std::byte> bytes = make();
    // What is dropped stays valid for kernels that are launched already: memory is reused in their order.
    if (tables.size() >= kMostTables || table_bytes + bytes.size() > kMostBytes) {
      tables.clear();
      table_bytes = 0;
    }
    const Tensor table =
        Tensor::empty(vector_shape(static_cast<int>(bytes.size())), DType::kU8, device);
    device.copy(table.storage()->data(), bytes.data(), bytes.size());
    tables.emplace(key, table);
    table_bytes += bytes.size();
    return table;
  }

  static constexpr std::size_t kMostTables = 256, kMostBytes = 16 << 20;

  struct OfDevice {
    std::map<std::string, Tensor> tables;
    std::size_t bytes = 0;
  };

  std::mutex mutex_;
  std::map<const Device*, OfDevice> of_device_;
};

}  // namespace

Tensor kept_table(const std::string& key, const std::function<std::vector<std::byte>()>& make) {
  static auto& tables = *new KeptTables;  // never destroyed, as the GPUs are not
  return tables.kept(key, make);
}

}  // namespace mend
