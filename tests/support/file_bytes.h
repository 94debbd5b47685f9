// Hand-made files for the tests of the readers: small, exact and, where wanted, wrong.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace mend::test {

/// The little-endian bytes of a number.
template <class T>
std::string bytes_of(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::string bytes_of(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) bytes += bytes_of(value);
  return bytes;
}

/// A safetensors file of this header and data.
inline std::string safetensors_of(const std::string& header, const std::string& data) {
  return bytes_of(std::uint64_t{header.size()}) + header + data;
}

/// PyTorch's older format around the pickle of an object without storages.
inline std::string legacy_of(const std::string& object_pickle) {
  using namespace std::string_literals;
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s +  // the magic number
         "\x80\x02M\xe9\x03."s + "\x80\x02}."s + object_pickle + "\x80\x02]."s;
}

struct ZipEntry {
  std::string name, bytes;
  /// If not 0, what the archive claims that the entry unpacks to (it is then marked as deflated).
  std::uint32_t claimed_bytes = 0;
};

/// An uncompressed zip archive.
std::string zip_of(const std::vector<ZipEntry>& entries);

}  // namespace mend::test
