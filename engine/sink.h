// Where encoded bytes go: a file, or memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mend {

class Sink {
 public:
  virtual ~Sink() = default;
  /// Appends all bytes. Throws WriteError.
  virtual void write(std::span<const std::uint8_t> bytes) = 0;
  void write_bytes(std::span<const std::byte> bytes) {
    write({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  }
};

class MemorySink : public Sink {
 public:
  void write(std::span<const std::uint8_t> bytes) override {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace mend
