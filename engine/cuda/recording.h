// Work of a GPU that is captured as a CUDA graph and launched again by one call.
//
// Capturing happens in a stream of its own, so that other threads go on in the GPU's; nothing runs meanwhile.
// The graph is launched in the GPU's stream like any kernel. Its kernels have the addresses of the day when they
// were captured, so whatever they touch must stay until the graph dies: inputs, outputs and constants are the
// plan's, working memory lies in RecordedMemory, and tables that come and go are held by CudaCapture::keep.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "engine/cuda/memory.h"
#include "engine/device.h"

namespace mend {

class CudaDevice;

/// The working memory of one recording. What its steps free is given out again inside the recording, in the
/// order of its work, and to nobody else until it dies: then all goes back to the GPU's allocator.
class RecordedMemory {
 public:
  /// At most so many bytes.
  RecordedMemory(CachingAllocator& from, std::size_t most_bytes)
      : from_(from), most_bytes_(most_bytes) {}
  ~RecordedMemory();
  RecordedMemory(const RecordedMemory&) = delete;
  RecordedMemory& operator=(const RecordedMemory&) = delete;

  /// Throws NotRecordable if it would be too much, or the GPU is full.
  void* allocate(std::size_t bytes);
  /// False if the memory is not from here.
  bool free(void* memory) noexcept;
  std::size_t bytes() const { return bytes_; }
  bool in_use() const { return !used_.empty(); }

 private:
  CachingAllocator& from_;
  const std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  FreeBlocks free_;
  std::unordered_map<void*, std::size_t> used_;
};

struct DestroyGraph {
  void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
};
using GraphHandle = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, DestroyGraph>;
using KeptAlive = std::vector<std::shared_ptr<const void>>;

/// A recording under way. Belongs to one thread.
class CudaCapture {
 public:
  CudaCapture(cudaStream_t stream, std::unique_ptr<RecordedMemory> memory);
  /// Gives up what was not taken.
  ~CudaCapture();
  CudaCapture(const CudaCapture&) = delete;
  CudaCapture& operator=(const CudaCapture&) = delete;

  cudaStream_t stream() const { return stream_; }
  RecordedMemory& memory() const { return *memory_; }
  /// Holds what the recorded work will read as long as the recording lives.
  void keep(std::shared_ptr<const void> memory) { kept_.push_back(std::move(memory)); }
  /// Ends it. Throws NotRecordable if CUDA met something that a graph cannot hold.
  std::unique_ptr<Recording> take(CudaDevice& device);

 private:
  const cudaStream_t stream_;
  std::unique_ptr<RecordedMemory> memory_;
  KeptAlive kept_;
  bool is_capturing_ = true;
};

class CudaRecording final : public Recording {
 public:
  CudaRecording(CudaDevice& device, GraphHandle graph, std::size_t nodes,
                std::unique_ptr<RecordedMemory> memory, KeptAlive kept);
  ~CudaRecording() override;
  void replay() override;
  std::string describe() const override;

 private:
  CudaDevice& device_;
  // The graph goes first: it may still run then, but what has its memory next runs behind it.
  std::unique_ptr<RecordedMemory> memory_;
  KeptAlive kept_;
  GraphHandle graph_;
  std::size_t nodes_;
};

}  // namespace mend
