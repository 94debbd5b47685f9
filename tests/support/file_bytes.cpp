#include "tests/support/file_bytes.h"

namespace mend::test {
namespace {

/// The checksum of zip archives: the remainder modulo the reflected polynomial 0xEDB88320.
std::uint32_t crc32(const std::string& bytes) {
  std::uint32_t remainder = 0xFFFFFFFF;
  for (const char byte : bytes) {
    remainder ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ (0xEDB88320u & (0u - (remainder & 1u)));
    }
  }
  return ~remainder;
}

/// What the local and the central header of an entry have in common: from the flags to the lengths
/// of the name and of the (empty) extra field.
std::string common_header(const ZipEntry& entry) {
  const std::uint16_t method = entry.claimed_bytes != 0 ? 8 : 0;
  const auto packed = static_cast<std::uint32_t>(entry.bytes.size());
  return bytes_of(std::uint16_t{0}) + bytes_of(method) + bytes_of(std::uint32_t{0}) +
         bytes_of(crc32(entry.bytes)) + bytes_of(packed) +
         bytes_of(entry.claimed_bytes != 0 ? entry.claimed_bytes : packed) +
         bytes_of(static_cast<std::uint16_t>(entry.name.size())) + bytes_of(std::uint16_t{0});
}

}  // namespace

std::string zip_of(const std::vector<ZipEntry>& entries) {
  const std::string version = bytes_of(std::uint16_t{20});
  std::string file, directory;
  for (const ZipEntry& entry : entries) {
    const auto position = static_cast<std::uint32_t>(file.size());
    file += "PK\x03\x04" + version + common_header(entry) + entry.name + entry.bytes;
    directory += "PK\x01\x02" + version + version + common_header(entry) + std::string(10, '\0') +
                 bytes_of(position) + entry.name;
  }
  const auto count = bytes_of(static_cast<std::uint16_t>(entries.size()));
  const auto directory_bytes = bytes_of(static_cast<std::uint32_t>(directory.size()));
  const auto directory_position = bytes_of(static_cast<std::uint32_t>(file.size()));
  return file + directory + "PK\x05\x06" + std::string(4, '\0') + count + count + directory_bytes +
         directory_position + std::string(2, '\0');
}

}  // namespace mend::test
