// Where memory lives and work runs. The CPU is one device; a GPU is another that implements the
// same few calls, and nothing above the engine changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace mend {

enum class DeviceKind : std::uint8_t { kCpu, kCuda };

class Device {
 public:
  virtual ~Device() = default;
  virtual DeviceKind kind() const = 0;
  virtual std::string_view name() const = 0;
  /// At least `bytes` bytes, aligned to 64. Throws OutOfMemory with the size that was asked for.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void free(void* memory, std::size_t bytes) noexcept = 0;
  /// Copies between this device and the host's memory, or within this device.
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  /// Copies `rows` rows of `row_bytes` bytes within this device, so many bytes after each other.
  virtual void copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                         std::size_t row_bytes, std::size_t rows) = 0;
  /// Sets `bytes` bytes to the value of `byte`.
  virtual void fill(void* to, int byte, std::size_t bytes) = 0;
  /// Has the work that this thread launches from now on go to this device. CUDA kernels alone ask.
  virtual void make_current() const {}
  /// Memory of the host that the device reads and writes by itself; for copy_later.
  virtual std::shared_ptr<void> allocate_staging(std::size_t bytes) = 0;
  /// As copy, between this device and its staging memory, in the order of the work that the device was given:
  /// the host's side must stay as it is until synchronize().
  virtual void copy_later(void* to, const void* from, std::size_t bytes) = 0;
  /// Waits until all work that was given to the device is done.
  virtual void synchronize() = 0;
};

/// The host's processor; always there.
Device& cpu();

/// Bytes that all devices' allocations hold now, and the most they ever held; for reports and tests.
std::int64_t allocated_bytes();
std::int64_t peak_allocated_bytes();

}  // namespace mend
