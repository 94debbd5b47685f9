#include "engine/log.h"

#include <algorithm>
#include <atomic>
#include <cstdio>

namespace mend {
namespace {
std::atomic<LogLevel> level{LogLevel::kNormal};

void print(const char* prefix, const std::string& message) {
  std::fprintf(stderr, "mend: %s%s\n", prefix, one_line(message).c_str());
}
}  // namespace

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char letter) { return letter < ' ' || letter == 0x7F; },
      '?');
  return text;
}

void set_log_level(LogLevel value) { level = value; }
LogLevel log_level() { return level; }

void report_error(const std::string& message) { print("error: ", message); }
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
