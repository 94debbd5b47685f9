// Where the files of a tar archive lie in it, so that each can be read by itself.
//
// The format is POSIX.1-1988 ustar with the long names and sizes of GNU tar (types L, base-256) and of pax
// (POSIX.1-2001: path, size). An index of our own, because a training reads members at random, many times: what
// libarchive gives is one stream from the start, and it would be one library more for every start of the
// program.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace mend {

/// A regular file.
struct TarMember {
  std::string name;
  std::int64_t offset = 0, bytes = 0;  ///< of its contents, in the archive
};

struct TarIndex {
  std::vector<TarMember> members;  ///< in the archive's order
  std::string fault;  ///< why it ends before the archive does, with the archive's name; else empty
};

/// Whether the file begins with a header of ustar or GNU tar.
bool is_tar(const std::string& path);

/// Reads the headers alone. Links, folders and devices are passed over. Members before a damaged or cut
/// off place are there; what lies behind cannot be found. Throws InputError if it cannot be opened.
TarIndex read_tar_index(const std::string& path);

/// The member's contents, or its first `most` bytes. Throws InputError if they are not there any more.
std::vector<std::uint8_t> read_tar_member(
    const std::string& path, const TarMember& member,
    std::int64_t most = std::numeric_limits<std::int64_t>::max());

}  // namespace mend
