// Where memory lives and work runs. The CPU is one device; a GPU is another that implements the
// same few calls, and nothing above the engine changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace mend {

enum class DeviceKind : std::uint8_t { kCpu, kCuda };

/// Work of a device that was noted once, and that it does again whenever it is told to.
class Recording {
 public:
  virtual ~Recording() = default;
  /// Gives the device all of the work at once, behind what it was given before.
  virtual void replay() = 0;
  /// "a CUDA graph of 34 nodes, which keeps 1.2 MB of working memory"
  virtual std::string describe() const = 0;
};

/// What became of an attempt to record work.
struct Recorded {
  std::unique_ptr<Recording> recording;  ///< null if the work cannot be recorded,
  std::string refusal;                   ///< for this reason
};

/// The way of bytes to a device that computes something else meanwhile; one time after the other.
class DeviceUpload {
 public:
  virtual ~DeviceUpload() = default;
  /// Memory of the host to put them in. Waits until what was sent last has left it.
  virtual std::byte* host() = 0;
  /// Sends the first `bytes` bytes: work that is given to the device from now on finds them at `to`, work that
  /// was given before still finds there what it expects.
  virtual void send(void* to, std::size_t bytes) = 0;
};

/// The way back.
class DeviceDownload {
 public:
  virtual ~DeviceDownload() = default;
  /// Fetches what the work given so far leaves at `from`; work that is given from now on may write there.
  virtual void fetch(const void* from, std::size_t bytes) = 0;
  /// Memory of the host where they lie until the next fetch. Waits for them.
  virtual std::byte* host() = 0;
};

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
  /// Notes what `work` gives to this device in this thread, and does nothing of it; other threads go on. Memory
  /// that `work` takes and frees stays the recording's as long as that lives. Work that waits for the device, or
  /// moves bytes between it and the host, cannot be recorded; nor can anything on a CPU. Throws what `work` throws.
  virtual Recorded record(const std::function<void()>& work);
  /// Ways for at most so many bytes that overlap with computing; null on a CPU, which has none to go.
  virtual std::unique_ptr<DeviceUpload> make_upload(std::size_t most_bytes);
  virtual std::unique_ptr<DeviceDownload> make_download(std::size_t most_bytes);
};

/// The host's processor; always there.
Device& cpu();

/// Bytes that all devices' allocations hold now, and the most they ever held; for reports and tests.
std::int64_t allocated_bytes();
std::int64_t peak_allocated_bytes();

}  // namespace mend
