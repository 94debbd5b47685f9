#include "engine/device.h"

#include <fmt/format.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "engine/allocation_count.h"
#include "engine/error.h"

namespace mend {
namespace {

std::atomic<std::int64_t> allocated{0};
std::atomic<std::int64_t> peak{0};

constexpr std::size_t kAlignment = 64;  // one cache line, one AVX-512 vector

/// Memory in huge pages where the system has them: kernels jump between rows that lie pages apart, and
/// the processor remembers where a few dozen pages are, not thousands.
constexpr std::size_t kHugePage = 2 << 20;

void* allocate_aligned(std::size_t bytes) {
  if (bytes < 2 * kHugePage) return std::aligned_alloc(kAlignment, bytes);
  void* memory = nullptr;
  if (posix_memalign(&memory, kHugePage, bytes) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
  madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // a wish: small pages work, too
#endif
  return memory;
}

class Cpu final : public Device {
 public:
  DeviceKind kind() const override { return DeviceKind::kCpu; }
  std::string_view name() const override { return "cpu"; }

  void* allocate(std::size_t bytes) override {
    const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    void* memory = rounded < bytes ? nullptr : allocate_aligned(rounded);
    if (memory == nullptr) {
      throw OutOfMemory(fmt::format(
          "cannot allocate {:.1f} MB of memory; use --memory to cap what a tile may take",
          static_cast<double>(bytes) / 1e6));
    }
    count_allocation(static_cast<std::int64_t>(bytes));
    return memory;
  }

  void free(void* memory, std::size_t bytes) noexcept override {
    std::free(memory);
    count_allocation(-static_cast<std::int64_t>(bytes));
  }

  void copy(void* to, const void* from, std::size_t bytes) override {
    std::memcpy(to, from, bytes);
  }
  void copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                 std::size_t row_bytes, std::size_t rows) override {
    for (std::size_t row = 0; row < rows; ++row) {
      std::memcpy(static_cast<std::byte*>(to) + row * to_pitch,
                  static_cast<const std::byte*>(from) + row * from_pitch, row_bytes);
    }
  }
  void fill(void* to, int byte, std::size_t bytes) override { std::memset(to, byte, bytes); }
  std::shared_ptr<void> allocate_staging(std::size_t bytes) override {
    return {allocate(bytes), [this, bytes](void* memory) { free(memory, bytes); }};
  }
  void copy_later(void* to, const void* from, std::size_t bytes) override { copy(to, from, bytes); }
  void synchronize() override {}
};

}  // namespace

Recorded Device::record(const std::function<void()>&) {
  return {nullptr, std::string(name()) + " does its work at once"};
}
std::unique_ptr<DeviceUpload> Device::make_upload(std::size_t) { return nullptr; }
std::unique_ptr<DeviceDownload> Device::make_download(std::size_t) { return nullptr; }

Device& cpu() {
  static Cpu device;
  return device;
}

void count_allocation(std::int64_t bytes) {
  const std::int64_t now = allocated.fetch_add(bytes) + bytes;
  std::int64_t highest = peak.load();
  while (now > highest && !peak.compare_exchange_weak(highest, now)) {
  }
}

std::int64_t allocated_bytes() { return allocated.load(); }
std::int64_t peak_allocated_bytes() { return peak.load(); }

}  // namespace mend
