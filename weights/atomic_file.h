// A file that appears under its name only when it is complete.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace mend {

/// Writes to a temporary file in the folder of `path`; commit() flushes it to the disk and renames
/// it. Without commit() the temporary file is removed, so a failure leaves nothing half-written.
/// All failures are WriteErrors that name `path`.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void commit();

 private:
  [[noreturn]] void fail(int error_number) const;

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

}  // namespace mend
