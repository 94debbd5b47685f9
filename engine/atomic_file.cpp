#include "engine/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "engine/error.h"

namespace mend {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 18;

/// One part file that a signal handler can find: no lock, no allocation, only a flag and a path.
struct Slot {
  enum State : int { kFree, kTaken, kListed };
  std::atomic<int> state{kFree};
  std::array<char, 4096> path{};  // Linux' PATH_MAX
};
static_assert(std::atomic<int>::is_always_lock_free);

// More files than this at once are still removed by their destructors, only not by a signal.
std::array<Slot, 64> slots;

int list_part_file(const std::string& path) {
  if (path.size() >= slots[0].path.size()) return -1;
  for (std::size_t k = 0; k < slots.size(); ++k) {
    int expected = Slot::kFree;
    if (!slots[k].state.compare_exchange_strong(expected, Slot::kTaken)) continue;
    std::memcpy(slots[k].path.data(), path.c_str(), path.size() + 1);
    slots[k].state = Slot::kListed;
    return static_cast<int>(k);
  }
  return -1;
}

void unlist_part_file(int slot) {
  if (slot >= 0) slots[static_cast<std::size_t>(slot)].state = Slot::kFree;
}

void remove_and_raise(int signal) {
  remove_part_files();
  raise(signal);  // the handler was installed with SA_RESETHAND: this one ends the program
}

/// ".name.3f9a61c2.part"; a long name is cut, since file systems take 255 bytes.
std::string part_name(const std::string& name) {
  constexpr std::size_t kLongestName = 200;
  std::random_device random;
  return fmt::format(".{}.{:08x}.part", name.substr(0, kLongestName), random());
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

/// Makes the rename itself safe on the disk. A file system that cannot is not an error.
void sync_folder(const std::string& path) {
  const int folder = open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  fsync(folder);
  close(folder);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(path) {
  struct stat existing {};
  mode_t mode = 0666;  // less the umask
  const bool exists = stat(path.c_str(), &existing) == 0;
  if (exists && S_ISDIR(existing.st_mode)) {
    throw WriteError(fmt::format("{}: is a folder; name a file in it", path));
  }
  if (exists && !S_ISREG(existing.st_mode)) {
    descriptor_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail("cannot be opened");
    return;
  }
  if (exists) {
    mode = existing.st_mode & 0777;
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    if (!error) target_ = real.string();
  }
  const std::string name = std::filesystem::path(target_).filename().string();
  // A second try for the one case in 2^32 that the name is taken.
  for (int attempt = 0; attempt < 2 && descriptor_ < 0; ++attempt) {
    part_ = folder_of(target_) + "/" + part_name(name);
    slot_ = list_part_file(part_);
    descriptor_ = open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (descriptor_ < 0) unlist_part_file(std::exchange(slot_, -1));
  }
  if (descriptor_ < 0) fail("cannot be created");
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::write(std::span<const std::uint8_t> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() >= kBufferBytes) flush();
}

void AtomicFile::flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t count = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot be written");
    done += static_cast<std::size_t>(count);
    written_ += count;
  }
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  // EINVAL: a pipe or a device, which has nothing to sync.
  if (fsync(descriptor_) != 0 && errno != EINVAL) fail("cannot be written");
  const int closed = close(std::exchange(descriptor_, -1));
  if (closed != 0 && errno != EINTR) fail("cannot be written");
  if (part_.empty()) return;
  if (std::rename(part_.c_str(), target_.c_str()) != 0) fail("cannot be renamed into place");
  part_.clear();
  unlist_part_file(std::exchange(slot_, -1));
  sync_folder(target_);
}

void AtomicFile::fail(const char* action) const {
  const int error = errno;
  const std::string written =
      fmt::format("after {:.1f} MiB", static_cast<double>(written_) / 0x1p20);
  switch (error) {
    case ENOSPC:
    case EDQUOT: {
      struct statvfs disk {};
      std::string free;
      if (statvfs(folder_of(target_).c_str(), &disk) == 0) {
        free = fmt::format(", {:.1f} MiB free", static_cast<double>(disk.f_bavail) *
                                                    static_cast<double>(disk.f_frsize) / 0x1p20);
      }
      throw WriteError(fmt::format(
          "{}: the disk of {} is full {}{}; free some space or choose another folder. Nothing was "
          "written",
          path_, folder_of(target_), written, free));
    }
    case EFBIG:
      throw WriteError(fmt::format(
          "{}: the limit of file sizes was reached {}; raise it (ulimit -f). Nothing was written",
          path_, written));
    case ENOENT:
    case ENOTDIR:
      throw WriteError(
          fmt::format("{}: there is no folder {}; create it first", path_, folder_of(target_)));
    default:
      throw WriteError(fmt::format("{}: {}: {}. Nothing was written", path_, action,
                                   std::generic_category().message(error)));
  }
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  if (!part_.empty()) unlink(part_.c_str());
  part_.clear();
  unlist_part_file(std::exchange(slot_, -1));
}

void remove_part_files() noexcept {
  const int error = errno;
  for (const Slot& slot : slots) {
    if (slot.state == Slot::kListed) unlink(slot.path.data());
  }
  errno = error;
}

void remove_part_files_on_signals() {
  struct sigaction action {};
  action.sa_handler = remove_and_raise;
  action.sa_flags = SA_RESETHAND;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

}  // namespace mend
