// A file that is there whole or not at all.
//
//   write -> .photo.png.3f9a61c2.part -> fsync -> rename to photo.png -> fsync of the folder
//
// The part file is removed when the AtomicFile goes out of scope uncommitted, and, if the program
// lets it, when a signal ends the program.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/sink.h"

namespace mend {

class AtomicFile : public Sink {
 public:
  /// Creates the part file beside `path` (beside its target, if it is a symbolic link). What is no
  /// regular file, such as a pipe or a device, is written directly and never replaced.
  /// Throws WriteError.
  explicit AtomicFile(const std::string& path);
  ~AtomicFile() override;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::uint8_t> bytes) override;
  /// Makes the file appear under its name, safe on the disk. Throws WriteError.
  void commit();

 private:
  void flush();
  [[noreturn]] void fail(const char* action) const;
  void discard() noexcept;

  std::string path_;    // as the user named it
  std::string target_;  // where the file will be
  std::string part_;    // empty when written directly
  int descriptor_ = -1;
  int slot_ = -1;  // in the registry of part files
  std::int64_t written_ = 0;
  std::vector<std::uint8_t> buffer_;
};

/// Removes the part files of all open AtomicFiles. Safe in a signal handler; for the last moments
/// of a program, since their AtomicFiles can no longer be committed.
void remove_part_files() noexcept;

/// From now on SIGINT, SIGTERM and SIGHUP remove the part files before they end the program.
void remove_part_files_on_signals();

}  // namespace mend
