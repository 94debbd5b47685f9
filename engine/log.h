// One-line messages on stderr.
#pragma once

#include <string>

namespace mend {

enum class LogLevel { kQuiet, kNormal, kVerbose };

void set_log_level(LogLevel level);
LogLevel log_level();
inline bool verbose() { return log_level() == LogLevel::kVerbose; }

/// "mend: warning: ..." unless quiet.
void warn(const std::string& message);
/// "mend: ..." unless quiet.
void inform(const std::string& message);
/// "mend: ..." if verbose.
void detail(const std::string& message);

}  // namespace mend
