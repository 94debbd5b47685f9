// What can go wrong, as exceptions that know the exit code of the program.
//
// A message is one line: what happened, where, and what to do, with both sides of a mismatch.
// Exceptions are for what a user can cause; `assert` is for what only we can.
#pragma once

#include <stdexcept>
#include <string>

namespace mend {

/// Exit codes of the `mend` program.
enum class ExitCode : int {
  kDone = 0,
  kSomeFailed = 1,         ///< some inputs failed, each named
  kUsage = 2,              ///< the command line makes no sense
  kInputRefused = 3,       ///< an image (or other input) cannot be used
  kCheckpointRefused = 4,  ///< a checkpoint cannot be used
  kDevice = 5,             ///< the asked-for device cannot be used
  kOutOfMemory = 6,        ///< memory ran out, also after retries
  kWrite = 7,              ///< no space, or the output cannot be written
  kNumeric = 8,            ///< NaN or infinity where there must be none
  kInterrupted = 75,       ///< stopped by a signal; the run can be repeated
};

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode exit_code() const { return code_; }

 private:
  ExitCode code_;
};

/// Defines one exception class a kind of failure, each with its exit code.
template <ExitCode kCode>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& message) : Error(kCode, message) {}
};

class UsageError : public ErrorOf<ExitCode::kUsage> {
  using ErrorOf::ErrorOf;
};
class InputError : public ErrorOf<ExitCode::kInputRefused> {
  using ErrorOf::ErrorOf;
};
/// Extents that do not fit together: of an image and a network, or inside a network.
class ShapeError : public ErrorOf<ExitCode::kInputRefused> {
  using ErrorOf::ErrorOf;
};
class CheckpointError : public ErrorOf<ExitCode::kCheckpointRefused> {
  using ErrorOf::ErrorOf;
};
class DeviceError : public ErrorOf<ExitCode::kDevice> {
  using ErrorOf::ErrorOf;
};
/// Work that a device cannot record (engine/device.h); a plan then gives it step by step.
class NotRecordable : public DeviceError {
  using DeviceError::DeviceError;
};
class OutOfMemory : public ErrorOf<ExitCode::kOutOfMemory> {
  using ErrorOf::ErrorOf;
};
class WriteError : public ErrorOf<ExitCode::kWrite> {
  using ErrorOf::ErrorOf;
};
class NumericError : public ErrorOf<ExitCode::kNumeric> {
  using ErrorOf::ErrorOf;
};
class Interrupted : public ErrorOf<ExitCode::kInterrupted> {
  using ErrorOf::ErrorOf;
};

}  // namespace mend
