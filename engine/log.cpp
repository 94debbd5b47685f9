#include "engine/log.h"

#include <atomic>
#include <cstdio>

namespace mend {
namespace {
std::atomic<LogLevel> level{LogLevel::kNormal};

void print(const char* prefix, const std::string& message) {
  std::fprintf(stderr, "mend: %s%s\n", prefix, message.c_str());
}
}  // namespace

void set_log_level(LogLevel value) { level = value; }
LogLevel log_level() { return level; }

void warn(const std::string& message) {
  if (level != LogLevel::kQuiet) print("warning: ", message);
}
void inform(const std::string& message) {
  if (level != LogLevel::kQuiet) print("", message);
}
void detail(const std::string& message) {
  if (level == LogLevel::kVerbose) print("", message);
}

}  // namespace mend
