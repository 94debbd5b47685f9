// Memory of one GPU that is given out again in the order of its stream, and pinned memory of the host.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <map>
#include <mutex>
#include <unordered_map>

namespace mend {

/// As long as it lives, CUDA's calls of this thread mean this GPU, and then the one that they meant before. Says
/// nothing of errors: they show up in the next check.
class OnGpu {
 public:
  explicit OnGpu(int gpu) noexcept {
    cudaGetDevice(&before_);
    cudaSetDevice(gpu);
  }
  ~OnGpu() { cudaSetDevice(before_); }
  OnGpu(const OnGpu&) = delete;
  OnGpu& operator=(const OnGpu&) = delete;

 private:
  int before_ = 0;
};

/// Blocks that nobody uses, by their size.
using FreeBlocks = std::multimap<std::size_t, void*>;
/// The smallest that holds `bytes` bytes and is filled to three quarters by them, or end().
FreeBlocks::iterator find_fitting(FreeBlocks& blocks, std::size_t bytes);

/// A caching allocator. cudaMalloc and cudaFree wait for all work of the GPU, so what is freed stays here
/// for the next one who asks. That is safe while the GPU still computes with it, because all work runs in
/// one stream, one after the other: whoever gets the memory writes to it after those who had it. Work in
/// other streams (copies) must be waited for by an event before its memory is freed.
///
/// A plan takes its arena as one block, so there are few and large ones: a free block is given to a
/// request that fills at least three quarters of it, else a new one is made. Safe to call from any thread.
class CachingAllocator {
 public:
  explicit CachingAllocator(int gpu) : gpu_(gpu) {}
  ~CachingAllocator();
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  /// At least `bytes` bytes, aligned to 256. If the GPU is full, gives back what is cached and tries again;
  /// then throws OutOfMemory with what was asked for and what there is.
  void* allocate(std::size_t bytes);
  /// The same, but null if the GPU is full: what is cached stays, since giving it back would wait for the GPU.
  void* try_allocate(std::size_t bytes);
  void free(void* memory) noexcept;
  /// How large a block that is given out really is.
  std::size_t size_of_block(void* memory) const;
  /// Gives the cached blocks back to the GPU. Waits for its work.
  void release() noexcept;

  std::size_t used_bytes() const;    ///< of blocks that are given out
  std::size_t cached_bytes() const;  ///< of blocks that wait for the next one

 private:
  void release_locked() noexcept;
  /// From what is cached, or new; null if the GPU is full.
  void* find_or_make(std::size_t bytes);
  [[noreturn]] void say_full(std::size_t asked) const;

  const int gpu_;
  mutable std::mutex mutex_;
  FreeBlocks cached_;
  std::unordered_map<void*, std::size_t> used_;  // sizes of what is given out
  std::size_t used_bytes_ = 0, cached_bytes_ = 0;
};

/// Memory of the host that the GPU reads and writes itself, while the processor does something else.
class PinnedMemory {
 public:
  explicit PinnedMemory(std::size_t bytes);
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_;
};

}  // namespace mend
