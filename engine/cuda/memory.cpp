#include "engine/cuda/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

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

FreeBlocks::iterator find_fitting(FreeBlocks& blocks, std::size_t bytes) {
  const std::size_t size = rounded_up(bytes);
  const auto found = blocks.lower_bound(size);
  const bool fits = found != blocks.end() && found->first - found->first / 4 <= size;
  return fits ? found : blocks.end();
}

CachingAllocator::~CachingAllocator() { release(); }

void* CachingAllocator::allocate(std::size_t bytes) {
  const OnGpu there(gpu_);
  const std::scoped_lock lock(mutex_);
  void* memory = find_or_make(bytes);
  if (memory == nullptr) {
    release_locked();
    memory = find_or_make(bytes);
  }
  if (memory == nullptr) say_full(bytes);
  return memory;
}

void* CachingAllocator::try_allocate(std::size_t bytes) {
  const OnGpu there(gpu_);
  const std::scoped_lock lock(mutex_);
  return find_or_make(bytes);
}

void* CachingAllocator::find_or_make(std::size_t bytes) {
  std::size_t size = rounded_up(bytes);
  void* memory = nullptr;
  if (const auto found = find_fitting(cached_, bytes); found != cached_.end()) {
    std::tie(size, memory) = *found;
    cached_.erase(found);
    cached_bytes_ -= size;
  } else {
    const cudaError_t status = cudaMalloc(&memory, size);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      return nullptr;
    }
    cuda_check(status, "allocating memory");
  }
  used_[memory] = size;
  used_bytes_ += size;
  return memory;
}

void CachingAllocator::say_full(std::size_t asked) const {
  std::size_t free = 0, all = 0;
  cudaMemGetInfo(&free, &all);
  throw OutOfMemory(fmt::format(
      "cannot allocate {:.1f} MB on cuda:{}, which has {:.1f} of {:.1f} MB free; use --memory to "
      "cap what a tile may take",
      static_cast<double>(asked) / 1e6, gpu_, static_cast<double>(free) / 1e6,
      static_cast<double>(all) / 1e6));
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
  const OnGpu there(gpu_);
  // Errors of work before this show up where somebody can report them, in the next check.
  for (const auto& [size, memory] : cached_) cudaFree(memory);
  cached_.clear();
  cached_bytes_ = 0;
}

std::size_t CachingAllocator::size_of_block(void* memory) const {
  const std::scoped_lock lock(mutex_);
  return used_.at(memory);
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
