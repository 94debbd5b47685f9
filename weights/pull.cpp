#include "weights/pull.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "engine/error.h"
#include "weights/bytes.h"
#include "weights/download.h"
#include "weights/sha256.h"

namespace mend {
namespace {

namespace fs = std::filesystem;

/// FILE.part, open and locked against a second pull of the same file.
class PartFile {
 public:
  explicit PartFile(std::string path) : path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail();
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    ::close(descriptor_);
    throw WriteError(path_ + ": another pull is writing it");
  }
  ~PartFile() { ::close(descriptor_); }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  int descriptor() const { return descriptor_; }
  /// Moves behind the last byte; returns how many there are.
  std::int64_t seek_end() const {
    const off_t end = ::lseek(descriptor_, 0, SEEK_END);
    if (end < 0) fail();
    return end;
  }
  void clear() const {
    if (::ftruncate(descriptor_, 0) != 0) fail();
    seek_end();
  }
  void rename_to(const std::string& path) const {
    if (::fsync(descriptor_) != 0 || ::rename(path_.c_str(), path.c_str()) != 0) fail();
  }
  const std::string& path() const { return path_; }

 private:
  [[noreturn]] void fail() const {
    throw WriteError(fmt::format("{}: {}", path_, std::strerror(errno)));
  }

  std::string path_;
  int descriptor_ = -1;
};

/// Why the file at `path` is not the published one; empty if it is.
std::string difference(const std::string& path, const PublishedFile& published) {
  std::error_code none;
  const auto bytes = static_cast<std::int64_t>(fs::file_size(path, none));
  if (none || bytes == 0) return "it is empty";
  if (published.bytes != 0 && bytes != published.bytes) {
    return fmt::format("it has {} bytes instead of {}", bytes, published.bytes);
  }
  if (published.sha256.empty()) return "";
  Sha256 sum;
  sum.add(Bytes::map(path)->span());
  const std::string digest = sum.finish();
  if (digest.starts_with(published.sha256)) return "";
  return fmt::format("its SHA-256 is {} instead of {}", digest, published.sha256);
}

/// Fills the part file, from where it ends if the server can.
void fill(const PartFile& part, const PublishedFile& published, const PullOptions& options) {
  Download download{.url = published.url,
                    .descriptor = part.descriptor(),
                    .begin = part.seek_end(),
                    .most_bytes = published.bytes != 0
                                      ? std::min(published.bytes, options.most_bytes)
                                      : options.most_bytes,
                    .progress = {}};
  if (options.progress) {
    download.progress = [&](std::int64_t done, std::int64_t total) {
      options.progress(published.file, done, published.bytes != 0 ? published.bytes : total);
    };
  }
  if (download.begin > 0 && download.begin == published.bytes)
    return;  // only the rename is missing
  if (fetch(download) == Fetched::kAll) return;
  part.clear();
  download.begin = 0;
  fetch(download);
}

/// The path of the file in `folder`, downloaded if it is not there or not as published.
std::string pull_file(const PublishedFile& published, const std::string& folder,
                      const std::string& page, const PullOptions& options) {
  const std::string path = folder + "/" + published.file;
  if (fs::exists(path) && difference(path, published).empty()) return path;
  if (published.url.empty()) {
    throw CheckpointError(
        fmt::format("{}: has no direct address; download it from {} and put it at {}",
                    published.file, page, path));
  }
  const PartFile part(path + ".part");
  const bool resumed = part.seek_end() > 0;
  fill(part, published, options);
  std::string fault = difference(part.path(), published);
  if (!fault.empty() && resumed) {  // the beginning may be of another version
    part.clear();
    fill(part, published, options);
    fault = difference(part.path(), published);
  }
  if (!fault.empty()) {
    part.clear();
    throw CheckpointError(fmt::format("{}: is not what was published: {}", published.url, fault));
  }
  part.rename_to(path);
  return path;
}

}  // namespace

std::string default_cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/')
    return std::string(cache) + "/mend";  // XDG: absolute only
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : ".") + "/.cache/mend";
}

std::string pull(const PublishedCheckpoint& checkpoint, const PullOptions& options) {
  if (checkpoint.files.empty()) {
    throw CheckpointError(
        fmt::format("{}: has no direct address; download it from {} and give that file "
                    "instead of the name",
                    checkpoint.name, checkpoint.page));
  }
  const std::string cache =
      options.cache_folder.empty() ? default_cache_folder() : options.cache_folder;
  const std::string folder = cache + "/" + checkpoint.name;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw WriteError(fmt::format("{}: cannot be made: {}", folder, error.message()));
  std::string first;
  for (const PublishedFile& file : checkpoint.files) {
    const std::string path = pull_file(file, folder, checkpoint.page, options);
    if (first.empty()) first = path;
  }
  return first;
}

std::string pull(const std::string& name, const PullOptions& options) {
  return pull(find_published(name), options);
}

}  // namespace mend
