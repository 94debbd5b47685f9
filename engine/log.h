// One-line messages on stderr.
#pragma once

#include <string>

namespace mend {

enum class LogLevel { kQuiet, kNormal, kVerbose };

void set_log_level(LogLevel level);
LogLevel log_level();
inline bool verbose() { return log_level() == LogLevel::kVerbose; }

/// `text` with '?' for control characters, which file names and checkpoints may hold: so that it
/// stays one line, and no file talks to the terminal.
std::string one_line(std::string text);

/// "mend: error: ...", always.
void report_error(const std::string& message);
/// "mend: warning: ..." unless quiet.
void warn(const std::string& message);
/// "mend: ..." unless quiet.
void inform(const std::string& message);
/// "mend: ..." if verbose.
void detail(const std::string& message);

}  // namespace mend
