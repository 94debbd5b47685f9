// Copies between the host and a GPU that overlap with its computing.
//
// A plan's input may lie where another value of the same run lies later, so the bytes of the next run cannot go
// there while this one computes. They go by way of a block of memory of the GPU, in a stream of their own:
//
//   uploads    ──[host → block]──────────[host → block]──
//                        ╲ arrived       ╱ taken
//   computing  ───────────[block → x]───[run]──[y → block]───────────
//                                                       ╲ left      ╱ taken
//   downloads  ──────────────────────────────────────────[block → host]──
//
// The invariant: the block has one owner at a time, and an event hands it on. It is written only behind `taken`,
// which says that its last content was read, and read only behind `arrived` or `left`, which say that it was
// written. x and y belong to the computing stream, which alone touches them. Upwards and downwards are two streams:
// a download waits for its run, and the next upload must not wait behind it.
#pragma once

#include "engine/cuda/cuda_device.h"
#include "engine/tensor.h"

namespace mend {

class CudaUpload final : public DeviceUpload {
 public:
  CudaUpload(CudaDevice& device, std::size_t most_bytes);
  ~CudaUpload() override;
  std::byte* host() override;
  void send(void* to, std::size_t bytes) override;

 private:
  CudaDevice& device_;
  PinnedMemory host_;
  Storage block_;
  CudaEvent arrived_{true}, taken_;  // who waits for an upload sleeps
};

class CudaDownload final : public DeviceDownload {
 public:
  CudaDownload(CudaDevice& device, std::size_t most_bytes);
  ~CudaDownload() override;
  void fetch(const void* from, std::size_t bytes) override;
  std::byte* host() override;

 private:
  CudaDevice& device_;
  PinnedMemory host_;
  Storage block_;
  CudaEvent left_, taken_{true};  // who waits for a tile sleeps
};

}  // namespace mend
