#include "restore/exif.h"

#include <cstddef>

namespace mend {
namespace {

/// A bounds-checked TIFF structure (TIFF 6.0, section 2) in either byte order.
class Tiff {
 public:
  explicit Tiff(std::vector<std::uint8_t>& bytes) : bytes_(bytes) {
    if (bytes.size() < 8) return;
    little_ = bytes[0] == 'I' && bytes[1] == 'I';
    const bool big = bytes[0] == 'M' && bytes[1] == 'M';
    valid_ = (little_ || big) && get(2, 2) == 42;
  }

  bool valid() const { return valid_; }
  bool has(std::size_t at, std::size_t count) const {
    return at <= bytes_.size() && count <= bytes_.size() - at;
  }
  std::uint32_t get(std::size_t at, int count) const {
    std::uint32_t value = 0;
    for (int k = 0; k < count; ++k) value = value << 8 | bytes_[at + place(k, count)];
    return value;
  }
  void set(std::size_t at, int count, std::uint32_t value) {
    for (int k = count - 1; k >= 0; --k, value >>= 8) {
      bytes_[at + place(k, count)] = static_cast<std::uint8_t>(value);
    }
  }

 private:
  /// Where the k-th most significant of `count` bytes lies.
  std::size_t place(int k, int count) const { return little_ ? count - 1 - k : k; }

  std::vector<std::uint8_t>& bytes_;
  bool little_ = false;
  bool valid_ = false;
};

constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::uint32_t kShort = 3;
constexpr std::size_t kEntryBytes = 12;

}  // namespace

int take_orientation(std::vector<std::uint8_t>& exif) {
  Tiff tiff(exif);
  if (!tiff.valid()) return 1;
  const std::size_t directory = tiff.get(4, 4);
  if (!tiff.has(directory, 2)) return 1;
  const std::size_t entries = tiff.get(directory, 2);
  if (!tiff.has(directory + 2, entries * kEntryBytes)) return 1;

  int orientation = 1;
  for (std::size_t k = 0; k < entries; ++k) {
    const std::size_t entry = directory + 2 + k * kEntryBytes;
    if (tiff.get(entry, 2) != kOrientationTag || tiff.get(entry + 2, 2) != kShort) continue;
    const std::uint32_t value = tiff.get(entry + 8, 2);
    if (value >= 1 && value <= 8) orientation = static_cast<int>(value);
    tiff.set(entry + 8, 2, 1);
  }
  // The second directory describes the thumbnail; 0 ends the list before it.
  const std::size_t next_directory = directory + 2 + entries * kEntryBytes;
  if (tiff.has(next_directory, 4)) tiff.set(next_directory, 4, 0);
  return orientation;
}

}  // namespace mend
