#include "engine/cuda/cuda_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "engine/allocation_count.h"

namespace mend {
namespace {

/// The members behind the first one are made on the GPU that is current.
const GpuInfo& made_current(const GpuInfo& info) {
  // Who waits for the GPU sleeps: the processor's cores have decoding and samples to do meanwhile.
  cuda_check(
      cudaInitDevice(info.index, cudaDeviceScheduleBlockingSync, cudaInitDeviceFlagsAreValid),
      "waking a GPU");
  cuda_check(cudaSetDevice(info.index), "choosing a GPU");
  return info;
}

bool is_pageable(const void* memory) {
  cudaPointerAttributes attributes{};
  cuda_check(cudaPointerGetAttributes(&attributes, memory), "looking up an address");
  return attributes.type == cudaMemoryTypeUnregistered;
}

}  // namespace

CudaDevice::CudaDevice(const GpuInfo& info)
    : info_(made_current(info)),
      name_(fmt::format("cuda:{}", info.index)),
      allocator_(info.index) {}

void CudaDevice::make_current() const { cuda_check(cudaSetDevice(info_.index), "choosing a GPU"); }

std::shared_ptr<void> CudaDevice::allocate_staging(std::size_t bytes) {
  make_current();
  const auto memory = std::make_shared<PinnedMemory>(bytes);
  return {memory, memory->data()};
}

void CudaDevice::copy_later(void* to, const void* from, std::size_t bytes) {
  make_current();
  copy_async(to, from, bytes, stream_);
}

void* CudaDevice::allocate(std::size_t bytes) {
  void* memory = allocator_.allocate(bytes);
  count_allocation(static_cast<std::int64_t>(bytes));
  return memory;
}

void CudaDevice::free(void* memory, std::size_t bytes) noexcept {
  allocator_.free(memory);
  count_allocation(-static_cast<std::int64_t>(bytes));
}

void CudaDevice::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  make_current();
  auto* const target = static_cast<std::byte*>(to);
  auto* const source = static_cast<const std::byte*>(from);
  if (is_pageable(from)) return upload(target, source, bytes);
  if (is_pageable(to)) return download(target, source, bytes);
  copy_async(to, from, bytes, stream_);
  stream_.synchronize();  // pinned memory may be read, or written again, when this returns
}

void CudaDevice::copy_async(void* to, const void* from, std::size_t bytes,
                            cudaStream_t stream) const {
  cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "copying");
}

void CudaDevice::upload(std::byte* to, const std::byte* from, std::size_t bytes) {
  const std::scoped_lock lock(staging_mutex_);
  for (std::size_t at = 0, turn = 0; at < bytes; at += Staging::kBytes, ++turn) {
    Staging& half = staging_[turn % 2];
    const std::size_t count = std::min(Staging::kBytes, bytes - at);
    half.copied.wait();  // what it held before
    std::memcpy(half.memory.data(), from + at, count);
    copy_async(to + at, half.memory.data(), count, stream_);
    half.copied.record(stream_);
  }
}

void CudaDevice::download(std::byte* to, const std::byte* from, std::size_t bytes) {
  const std::scoped_lock lock(staging_mutex_);
  const std::size_t parts = (bytes + Staging::kBytes - 1) / Staging::kBytes;
  const auto size_of_part = [&](std::size_t part) {
    return std::min(Staging::kBytes, bytes - part * Staging::kBytes);
  };
  for (std::size_t part = 0; part <= parts; ++part) {
    if (part < parts) {
      Staging& half = staging_[part % 2];
      half.copied.wait();
      copy_async(half.memory.data(), from + part * Staging::kBytes, size_of_part(part), stream_);
      half.copied.record(stream_);
    }
    if (part == 0) continue;
    const std::size_t arrived = part - 1;
    staging_[arrived % 2].copied.wait();
    std::memcpy(to + arrived * Staging::kBytes, staging_[arrived % 2].memory.data(),
                size_of_part(arrived));
  }
}

void CudaDevice::copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                           std::size_t row_bytes, std::size_t rows) {
  make_current();
  cuda_check(cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, row_bytes, rows,
                               cudaMemcpyDeviceToDevice, stream_),
             "copying rows");
}

void CudaDevice::fill(void* to, int byte, std::size_t bytes) {
  make_current();
  cuda_check(cudaMemsetAsync(to, byte, bytes, stream_), "filling memory");
}

void CudaDevice::synchronize() {
  make_current();
  stream_.synchronize();
}

CudaDevice& cuda_device(Device& device) {
  assert(device.kind() == DeviceKind::kCuda);
  return static_cast<CudaDevice&>(device);
}

CudaDevice& current_cuda_device() {
  int index = 0;
  cuda_check(cudaGetDevice(&index), "asking for the current GPU");
  return cuda_device(gpu(index));
}

}  // namespace mend
