#include "engine/gpu_mean.h"

#include <algorithm>

#include "engine/cuda/cuda_device.h"
#include "engine/cuda/nccl.h"
#include "engine/cuda/optional_library.h"
#include "engine/error.h"

namespace mend {
namespace {

static_assert(sizeof(nccl::UniqueId) == sizeof(GpuMean::Id));

/// NCCL's all-reduce in the GPU's stream. All tensors of a call are one group, which is one launch.
class NcclMean final : public GpuMean {
 public:
  NcclMean(const Id& id, int rank, int size, CudaDevice& device) : device_(device) {
    nccl::UniqueId unique{};
    std::copy(id.begin(), id.end(), unique.bytes);
    device_.make_current();
    nccl_check(load_nccl().CommInitRank(&communicator_, size, unique, rank), "ncclCommInitRank");
  }

  /// Given up unless the last call went well: does not wait then for ranks that may never come.
  ~NcclMean() override {
    const nccl::Functions& f = load_nccl();
    device_.make_current();
    went_well_ ? f.CommDestroy(communicator_) : f.CommAbort(communicator_);
  }

  void average(const Tensors& tensors) override {
    const nccl::Functions& f = load_nccl();
    device_.make_current();
    went_well_ = false;
    nccl::Result before = nccl::kSuccess;
    nccl_check(f.CommGetAsyncError(communicator_, &before), "ncclCommGetAsyncError");
    if (before != nccl::kInProgress) nccl_check(before, "the sum of an earlier step");
    nccl_check(f.GroupStart(), "ncclGroupStart");
    nccl::Result added = nccl::kSuccess;
    for (const Tensor& tensor : tensors) {
      if (!tensor || added != nccl::kSuccess) continue;
      void* const numbers = const_cast<void*>(tensor.address());
      added = f.AllReduce(numbers, numbers, static_cast<std::size_t>(tensor.shape().elements()),
                          nccl::kFloat, nccl::kMean, communicator_, device_.stream());
    }
    const nccl::Result ended = f.GroupEnd();  // also behind an error
    nccl_check(added, "ncclAllReduce");
    nccl_check(ended, "ncclGroupEnd");
    went_well_ = true;
  }

 private:
  CudaDevice& device_;
  nccl::Communicator communicator_ = nullptr;
  bool went_well_ = false;
};

}  // namespace

std::string gpu_mean_problem() {
  return described([] {
    load_nccl();
    return std::string();
  });
}

GpuMean::Id make_gpu_mean_id() {
  nccl::UniqueId unique{};
  nccl_check(load_nccl().GetUniqueId(&unique), "ncclGetUniqueId");
  GpuMean::Id id{};
  std::copy_n(unique.bytes, id.size(), id.begin());
  return id;
}

std::unique_ptr<GpuMean> join_gpu_mean(const GpuMean::Id& id, int rank, int size, Device& device) {
  return std::make_unique<NcclMean>(id, rank, size, cuda_device(device));
}

}  // namespace mend
