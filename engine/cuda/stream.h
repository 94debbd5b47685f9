// Streams and events: the order of the GPU's work.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/cuda/check.h"

namespace mend {

/// A point in a stream's work.
class CudaEvent {
 public:
  /// Who waits for one that `sleeps` leaves the processor to others, and wakes up a little later.
  explicit CudaEvent(bool sleeps = false) {
    const unsigned flags = cudaEventDisableTiming | (sleeps ? cudaEventBlockingSync : 0);
    cuda_check(cudaEventCreateWithFlags(&event_, flags), "making an event");
  }
  ~CudaEvent() { cudaEventDestroy(event_); }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  /// All that `stream` has been given so far.
  void record(cudaStream_t stream) { cuda_check(cudaEventRecord(event_, stream), "an event"); }
  /// Makes the caller wait for the point; at once if it was never recorded.
  void wait() const { cuda_check(cudaEventSynchronize(event_), "waiting for the GPU"); }
  /// The same for destructors: an error shows up in the next check.
  void wait_silently() const noexcept { cudaEventSynchronize(event_); }
  /// Makes what `stream` is given from now on wait for the point.
  void hold_back(cudaStream_t stream) const {
    cuda_check(cudaStreamWaitEvent(stream, event_, 0), "an event");
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Work that runs in order, beside the work of other streams.
class CudaStream {
 public:
  CudaStream() {
    cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
  }
  ~CudaStream() { cudaStreamDestroy(stream_); }
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  operator cudaStream_t() const { return stream_; }  // NOLINT: where CUDA wants a stream
  void synchronize() const { cuda_check(cudaStreamSynchronize(stream_), "waiting for the GPU"); }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace mend
