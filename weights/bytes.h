// Read-only bytes of a file or a buffer, and a reader that never leaves them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mend {

static_assert(std::endian::native == std::endian::little, "checkpoints are read in place");

/// Immutable bytes that keep what they lie in (a buffer, a mapped file) alive.
class Bytes {
 public:
  static std::shared_ptr<const Bytes> own(std::vector<std::byte> bytes);
  /// Bytes that are there as long as the program.
  static std::shared_ptr<const Bytes> lasting(std::span<const std::byte> bytes);
  /// Maps a regular file; pages are read when they are first touched. Throws CheckpointError if
  /// `path` cannot be opened, is empty or is not a regular file.
  static std::shared_ptr<const Bytes> map(const std::string& path);
  /// The bytes [begin, begin + size) of `whole`; the caller has checked that they are inside.
  static std::shared_ptr<const Bytes> slice(std::shared_ptr<const Bytes> whole, std::size_t begin,
                                            std::size_t size);

  std::span<const std::byte> span() const { return span_; }
  const std::byte* data() const { return span_.data(); }
  std::size_t size() const { return span_.size(); }

 private:
  Bytes(std::span<const std::byte> span, std::shared_ptr<const void> owner)
      : span_(span), owner_(std::move(owner)) {}

  std::span<const std::byte> span_;
  std::shared_ptr<const void> owner_;
};

/// A cursor over untrusted bytes. Every step is checked; a step past the end throws CheckpointError
/// with the name of the file, the position and what was expected there.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string source)
      : bytes_(bytes), source_(std::move(source)) {}

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  const std::string& source() const { return source_; }

  /// The next `count` bytes. `expected` names them in the error.
  std::span<const std::byte> take(std::uint64_t count, std::string_view expected);
  /// The next `count` bytes as text (no check of the encoding).
  std::string_view text(std::uint64_t count, std::string_view expected);
  /// The text up to the next line feed, which is consumed but not returned.
  std::string_view line(std::string_view expected);

  /// The next little-endian number.
  template <class T>
  T read(std::string_view expected) {
    static_assert(std::is_arithmetic_v<T>);
    T value;
    std::memcpy(&value, take(sizeof(T), expected).data(), sizeof(T));
    return value;
  }

  /// Throws CheckpointError "<source>: <what>, at byte <position>".
  [[noreturn]] void fail(std::string_view what) const;

 private:
  std::span<const std::byte> bytes_;
  std::string source_;
  std::size_t position_ = 0;
};

}  // namespace mend
