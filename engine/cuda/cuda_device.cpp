#include "engine/cuda/cuda_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "engine/allocation_count.h"
#include "engine/cuda/devices.h"
#include "engine/cuda/transfer.h"
#include "engine/error.h"

namespace mend {
namespace {

/// CUDA knows which GPU is current, but not which of the devices on it.
thread_local const CudaDevice* current = nullptr;

std::string name_of(const GpuInfo& info, int instance) {
  return instance == 0 ? fmt::format("cuda:{}", info.index)
                       : fmt::format("cuda:{}#{}", info.index, instance + 1);
}

cudaMemoryType type_of(const void* memory) {
  cudaPointerAttributes attributes{};
  cuda_check(cudaPointerGetAttributes(&attributes, memory), "looking up an address");
  return attributes.type;
}

bool is_pageable(const void* memory) { return type_of(memory) == cudaMemoryTypeUnregistered; }

/// Recordings together may keep so much of a GPU's memory: that of a network is its largest step's, so this is
/// room for the plans of many tile sizes, and a bound where somebody makes more.
constexpr int kRecordedPart = 8;

}  // namespace

CudaDevice::CudaDevice(const GpuInfo& info, int instance)
    : info_(info), name_(name_of(info, instance)), allocator_(info.index) {}

void CudaDevice::make_current() const {
  cuda_check(cudaSetDevice(info_.index), "choosing a GPU");
  current = this;
}

std::shared_ptr<void> CudaDevice::allocate_staging(std::size_t bytes) {
  make_current();
  const auto memory = std::make_shared<PinnedMemory>(bytes);
  return {memory, memory->data()};
}

cudaStream_t CudaDevice::stream() const {
  const CudaCapture* const recording = capture();
  return recording == nullptr ? cudaStream_t{stream_} : recording->stream();
}

void CudaDevice::copy_later(void* to, const void* from, std::size_t bytes) {
  refuse_to_record("a copy between the host and the GPU");
  make_current();
  copy_async(to, from, bytes, stream_);
}

void* CudaDevice::allocate(std::size_t bytes) {
  CudaCapture* const recording = capture();
  const Unrecorded now(*this);  // cudaMalloc is none of the work that is recorded
  void* memory =
      recording != nullptr ? recording->memory().allocate(bytes) : allocator_.try_allocate(bytes);
  if (memory == nullptr) {
    release_cached_memory(info_.index);
    memory = allocator_.allocate(bytes);
  }
  count_allocation(static_cast<std::int64_t>(bytes));
  return memory;
}

void CudaDevice::free(void* memory, std::size_t bytes) noexcept {
  CudaCapture* const recording = capture();
  const bool is_recorded = recording != nullptr && recording->memory().free(memory);
  if (!is_recorded) allocator_.free(memory);
  count_allocation(-static_cast<std::int64_t>(bytes));
}

void CudaDevice::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  make_current();
  if (capture() != nullptr) return copy_within(to, from, bytes);
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
                               cudaMemcpyDeviceToDevice, stream()),
             "copying rows");
}

void CudaDevice::fill(void* to, int byte, std::size_t bytes) {
  make_current();
  cuda_check(cudaMemsetAsync(to, byte, bytes, stream()), "filling memory");
}

void CudaDevice::synchronize() {
  refuse_to_record("waiting for the GPU");
  make_current();
  stream_.synchronize();
}

void CudaDevice::copy_within(void* to, const void* from, std::size_t bytes) const {
  if (type_of(to) != cudaMemoryTypeDevice || type_of(from) != cudaMemoryTypeDevice) {
    refuse_to_record("a copy between the host and the GPU");
  }
  copy_async(to, from, bytes, stream());
}

CudaCapture* CudaDevice::capture() const {
  return recording_thread_.load() == std::this_thread::get_id() ? capture_ : nullptr;
}

void CudaDevice::set_capture(CudaCapture* capture) {
  capture_ = capture;
  recording_thread_ = capture == nullptr ? std::thread::id() : std::this_thread::get_id();
}

void CudaDevice::refuse_to_record(std::string_view what) const {
  if (capture() == nullptr) return;
  throw NotRecordable(fmt::format("{} cannot be recorded", what));
}

/// Also where the work throws.
struct CudaDevice::EndOfWork {
  CudaDevice& device;
  ~EndOfWork() { device.set_capture(nullptr); }
};

Recorded CudaDevice::record(const std::function<void()>& work) {
  refuse_to_record("a recording");
  const std::scoped_lock one_at_a_time(recording_mutex_);
  make_current();
  const std::int64_t left = info_.memory_bytes / kRecordedPart - recorded_bytes_;
  try {
    CudaCapture capture(recording_stream_,
                        std::make_unique<RecordedMemory>(
                            allocator_, static_cast<std::size_t>(std::max<std::int64_t>(left, 0))));
    {
      set_capture(&capture);
      const EndOfWork end{*this};
      work();
    }
    return {capture.take(*this), {}};
  } catch (const NotRecordable& error) {
    return {nullptr, error.what()};
  }
}

void CudaDevice::keep_for_recording(std::shared_ptr<const void> memory) {
  if (CudaCapture* const recording = capture()) recording->keep(std::move(memory));
}

CudaDevice::Unrecorded::Unrecorded(CudaDevice& device)
    : device_(device), capture_(device.capture()) {
  if (capture_ == nullptr) return;
  device_.set_capture(nullptr);
  cudaThreadExchangeStreamCaptureMode(&mode_);  // now it holds the thread's own
}

CudaDevice::Unrecorded::~Unrecorded() {
  if (capture_ == nullptr) return;
  cudaThreadExchangeStreamCaptureMode(&mode_);
  device_.set_capture(capture_);
}

void CudaDevice::count_recorded(std::int64_t bytes) {
  recorded_bytes_ += bytes;
  count_allocation(bytes);
}

std::unique_ptr<DeviceUpload> CudaDevice::make_upload(std::size_t most_bytes) {
  make_current();
  return std::make_unique<CudaUpload>(*this, most_bytes);
}

std::unique_ptr<DeviceDownload> CudaDevice::make_download(std::size_t most_bytes) {
  make_current();
  return std::make_unique<CudaDownload>(*this, most_bytes);
}

CudaDevice& cuda_device(Device& device) {
  assert(device.kind() == DeviceKind::kCuda);
  return static_cast<CudaDevice&>(device);
}

CudaDevice& current_cuda_device() {
  if (current == nullptr) gpu(survey_gpus().gpus.front().index).make_current();
  return const_cast<CudaDevice&>(*current);  // to be current leaves a device as it is
}

}  // namespace mend
