#include "engine/cuda/transfer.h"

namespace mend {

CudaUpload::CudaUpload(CudaDevice& device, std::size_t most_bytes)
    : device_(device), host_(most_bytes), block_(most_bytes, device) {
  // Whoever had the block's memory before may still compute with it.
  taken_.record(device_.stream());
}

// The block goes back to an allocator that gives it out in the order of the computing stream, which has waited for
// `arrived_`; the host's memory does not wait by itself.
CudaUpload::~CudaUpload() { arrived_.wait_silently(); }

std::byte* CudaUpload::host() {
  device_.make_current();  // an error names it
  arrived_.wait();
  return host_.data();
}

void CudaUpload::send(void* to, std::size_t bytes) {
  device_.make_current();
  taken_.hold_back(device_.uploads());
  device_.copy_async(block_.data(), host_.data(), bytes, device_.uploads());
  arrived_.record(device_.uploads());
  arrived_.hold_back(device_.stream());
  device_.copy_async(to, block_.data(), bytes, device_.stream());
  taken_.record(device_.stream());
}

CudaDownload::CudaDownload(CudaDevice& device, std::size_t most_bytes)
    : device_(device), host_(most_bytes), block_(most_bytes, device) {}

// The computing stream knows nothing of the block's last reader.
CudaDownload::~CudaDownload() { taken_.wait_silently(); }

void CudaDownload::fetch(const void* from, std::size_t bytes) {
  device_.make_current();
  taken_.hold_back(device_.stream());
  device_.copy_async(block_.data(), from, bytes, device_.stream());
  left_.record(device_.stream());
  left_.hold_back(device_.downloads());
  device_.copy_async(host_.data(), block_.data(), bytes, device_.downloads());
  taken_.record(device_.downloads());
}

std::byte* CudaDownload::host() {
  device_.make_current();
  taken_.wait();
  return host_.data();
}

}  // namespace mend
