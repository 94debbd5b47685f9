#include "engine/cuda/recording.h"

#include <fmt/format.h>

#include <utility>

#include "engine/allocation_count.h"
#include "engine/cuda/cuda_device.h"
#include "engine/error.h"

namespace mend {
namespace {

double megabytes(std::size_t bytes) { return static_cast<double>(bytes) / 1e6; }

struct DestroyCapturedGraph {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
using CapturedGraph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DestroyCapturedGraph>;

}  // namespace

RecordedMemory::~RecordedMemory() {
  for (const auto& [size, memory] : free_) from_.free(memory);
}

void* RecordedMemory::allocate(std::size_t bytes) {
  if (const auto found = find_fitting(free_, bytes); found != free_.end()) {
    const auto [size, memory] = *found;
    free_.erase(found);
    used_[memory] = size;
    return memory;
  }
  void* const memory = from_.try_allocate(bytes);
  if (memory == nullptr) {
    throw NotRecordable(fmt::format("{:.1f} MB of working memory more do not fit the GPU's memory",
                                    megabytes(bytes)));
  }
  const std::size_t size = from_.size_of_block(memory);
  if (bytes_ + size > most_bytes_) {
    from_.free(memory);
    throw NotRecordable(
        fmt::format("its working memory would take {:.1f} MB, and {:.1f} MB are left for those of "
                    "recordings",
                    megabytes(bytes_ + size), megabytes(most_bytes_)));
  }
  bytes_ += size;
  used_[memory] = size;
  return memory;
}

bool RecordedMemory::free(void* memory) noexcept {
  const auto found = used_.find(memory);
  if (found == used_.end()) return false;
  free_.emplace(found->second, memory);
  used_.erase(found);
  return true;
}

CudaCapture::CudaCapture(cudaStream_t stream, std::unique_ptr<RecordedMemory> memory)
    : stream_(stream), memory_(std::move(memory)) {
  // Of this thread alone: others may allocate, copy and wait as they like.
  cuda_check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "a recording");
}

CudaCapture::~CudaCapture() {
  if (!is_capturing_) return;
  cudaGraph_t graph = nullptr;
  if (cudaStreamEndCapture(stream_, &graph) == cudaSuccess) cudaGraphDestroy(graph);
  cudaGetLastError();
}

std::unique_ptr<Recording> CudaCapture::take(CudaDevice& device) {
  is_capturing_ = false;
  cudaGraph_t ended = nullptr;
  cuda_check(cudaStreamEndCapture(stream_, &ended), "the work");
  const CapturedGraph graph(ended);
  if (memory_->in_use()) {
    throw NotRecordable(
        "a step keeps working memory for later runs, which would find it unwritten");
  }
  std::size_t nodes = 0;
  cuda_check(cudaGraphGetNodes(graph.get(), nullptr, &nodes), "counting a graph's nodes");
  cudaGraphExec_t executable = nullptr;
  cuda_check(cudaGraphInstantiate(&executable, graph.get(), 0), "making a graph");
  return std::make_unique<CudaRecording>(device, GraphHandle(executable), nodes, std::move(memory_),
                                         std::move(kept_));
}

CudaRecording::CudaRecording(CudaDevice& device, GraphHandle graph, std::size_t nodes,
                             std::unique_ptr<RecordedMemory> memory, KeptAlive kept)
    : device_(device),
      memory_(std::move(memory)),
      kept_(std::move(kept)),
      graph_(std::move(graph)),
      nodes_(nodes) {
  device_.count_recorded(static_cast<std::int64_t>(memory_->bytes()));
}

CudaRecording::~CudaRecording() {
  device_.count_recorded(-static_cast<std::int64_t>(memory_->bytes()));
}

void CudaRecording::replay() {
  device_.make_current();
  cuda_check(cudaGraphLaunch(graph_.get(), device_.stream()), "launching a plan's graph");
}

std::string CudaRecording::describe() const {
  return fmt::format("a CUDA graph of {} nodes, which keeps {:.1f} MB of working memory", nodes_,
                     megabytes(memory_->bytes()));
}

}  // namespace mend
