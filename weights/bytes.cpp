#include "weights/bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/error.h"

namespace mend {

std::shared_ptr<const Bytes> Bytes::own(std::vector<std::byte> bytes) {
  auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return std::shared_ptr<const Bytes>(new Bytes(*owner, owner));
}

std::shared_ptr<const Bytes> Bytes::slice(std::shared_ptr<const Bytes> whole, std::size_t begin,
                                          std::size_t size) {
  const auto part = whole->span().subspan(begin, size);
  return std::shared_ptr<const Bytes>(new Bytes(part, std::move(whole)));
}

namespace {

/// Closes a file when its scope ends.
struct File {
  explicit File(int file_descriptor) : descriptor(file_descriptor) {}
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor;
};

}  // namespace

std::shared_ptr<const Bytes> Bytes::lasting(std::span<const std::byte> bytes) {
  return std::shared_ptr<const Bytes>(new Bytes(bytes, nullptr));
}

std::shared_ptr<const Bytes> Bytes::map(const std::string& path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer; it is refused just below.
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.descriptor < 0) {
    throw CheckpointError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  }
  struct stat status = {};
  if (::fstat(file.descriptor, &status) != 0) {
    throw CheckpointError(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  }
  if (S_ISDIR(status.st_mode)) {
    throw CheckpointError(fmt::format("{}: is a folder; give a checkpoint file", path));
  }
  if (!S_ISREG(status.st_mode)) {
    throw CheckpointError(fmt::format("{}: is not a regular file", path));
  }
  if (status.st_size == 0) throw CheckpointError(fmt::format("{}: is empty", path));

  const auto size = static_cast<std::size_t>(status.st_size);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.descriptor, 0);
  if (memory == MAP_FAILED) {
    throw CheckpointError(fmt::format("{}: cannot be mapped: {}", path, std::strerror(errno)));
  }
  std::shared_ptr<const void> owner(memory, [size](void* mapped) { ::munmap(mapped, size); });
  return std::shared_ptr<const Bytes>(
      new Bytes({static_cast<const std::byte*>(memory), size}, std::move(owner)));
}

std::span<const std::byte> ByteReader::take(std::uint64_t count, std::string_view expected) {
  if (count > remaining()) {
    throw CheckpointError(fmt::format("{}: truncated at byte {}: {} needs {} bytes, {} are left",
                                      source_, position_, expected, count, remaining()));
  }
  const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
  position_ += taken.size();
  return taken;
}

std::string_view ByteReader::text(std::uint64_t count, std::string_view expected) {
  const auto taken = take(count, expected);
  return {reinterpret_cast<const char*>(taken.data()), taken.size()};
}

std::string_view ByteReader::line(std::string_view expected) {
  const auto rest = bytes_.subspan(position_);
  const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
  if (end == rest.end()) {
    throw CheckpointError(fmt::format("{}: truncated at byte {}: the line of {} does not end",
                                      source_, position_, expected));
  }
  const std::string_view found = text(static_cast<std::size_t>(end - rest.begin()), expected);
  ++position_;
  return found;
}

void ByteReader::fail(std::string_view what) const {
  throw CheckpointError(fmt::format("{}: {}, at byte {}", source_, what, position_));
}

}  // namespace mend
