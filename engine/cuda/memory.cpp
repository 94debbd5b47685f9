#include "engine/cuda/memory.h"

#include <fmt/format.h>

#include "engine/cuda/check.h"
#include "engine/error.h"

namespace mend {
namespace {

/// Sizes that are asked for again are then often the same: 512 bytes, from a megabyte on 2 MB, the GPU's
/// own pages.
std::size_t rounded_up(std::size_t bytes) {
  const std::size_t unit = bytes < (1 << 20) ? 512 : 2 << 20;
  return (std::max<std::size_t>(bytes, 1) + unit - 1) / unit * unit;
}

}  // namespace

CachingAllocator::~CachingAllocator() { release(); }

void* CachingAllocator::allocate(std::size_t bytes) {
  const std::size_t rounded = rounded_up(bytes);
  const std::scoped_lock lock(mutex_);
  const auto found = cached_.lower_bound(rounded);
  if (found != cached_.end() && found->first - found->first / 4 <= rounded) {
    const auto [size, memory] = *found;
    cached_.erase(found);
    cached_bytes_ -= size;
    used_[memory] = size;
    used_bytes_ += size;
    return memory;
  }
  void* memory = allocate_new(rounded, bytes);
  used_[memory] = rounded;
  used_bytes_ += rounded;
  return memory;
}

void* CachingAllocator::allocate_new(std::size_t rounded, std::size_t asked) {
  void* memory = nullptr;
  cuda_check(cudaSetDevice(gpu_), "choosing a GPU");
  cudaError_t status = cudaMalloc(&memory, rounded);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    release_locked();
    status = cudaMalloc(&memory, rounded);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t free = 0, all = 0;
    cudaMemGetInfo(&free, &all);
    throw OutOfMemory(fmt::format(
        "cannot allocate {:.1f} MB on cuda:{}, which has {:.1f} of {:.1f} MB free; use --memory to "
        "cap what a tile may take",
        static_cast<double>(asked) / 1e6, gpu_, static_cast<double>(free) / 1e6,
        static_cast<double>(all) / 1e6));
  }
  cuda_check(status, "allocating memory");
  return memory;
}

void CachingAllocator::free(void* memory) noexcept {
  if (memory == nullptr) return;
  const std::scoped_lock lock(mutex_);
  const auto found = used_.find(memory);
  const std::size_t size = found->second;
  used_.erase(found);
  used_bytes_ -= size;
  cached_.emplace(size, memory);
  cached_bytes_ += size;
}

void CachingAllocator::release() noexcept {
  const std::scoped_lock lock(mutex_);
  release_locked();
}

void CachingAllocator::release_locked() noexcept {
  // Errors of work before this show up where somebody can report them, in the next check.
  cudaSetDevice(gpu_);
  for (const auto& [size, memory] : cached_) cudaFree(memory);
  cached_.clear();
  cached_bytes_ = 0;
}

std::size_t CachingAllocator::used_bytes() const {
  const std::scoped_lock lock(mutex_);
  return used_bytes_;
}

std::size_t CachingAllocator::cached_bytes() const {
  const std::scoped_lock lock(mutex_);
  return cached_bytes_;
}

PinnedMemory::PinnedMemory(std::size_t bytes) : bytes_(bytes) {
  void* memory = nullptr;
  cuda_check(cudaHostAlloc(&memory, bytes, cudaHostAllocPortable), "pinning memory of the host");
  data_ = static_cast<std::byte*>(memory);
}

PinnedMemory::~PinnedMemory() { cudaFreeHost(data_); }

}  // namespace mend
