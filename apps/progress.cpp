#include "apps/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

#include "engine/log.h"

namespace mend {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string clock_text(double seconds) {
  const int whole = static_cast<int>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

}  // namespace

Progress::Progress(std::string what)
    : what_(one_line(std::move(what))),
      start_(Clock::now()),
      shown_(start_),
      enabled_(isatty(STDERR_FILENO) == 1 && log_level() != LogLevel::kQuiet) {}

void Progress::update(int done, int all) {
  if (!enabled_ || done <= 0 || seconds_since(start_) < 0.5 || seconds_since(shown_) < 0.1) return;
  const double left = seconds_since(start_) / done * (all - done);
  std::fprintf(stderr, "\r\033[K%s: %d%%, %s left", what_.c_str(),
               static_cast<int>(std::int64_t{100} * done / all), clock_text(left).c_str());
  std::fflush(stderr);
  shown_ = Clock::now();
  visible_ = true;
}

void Progress::hide() {
  if (visible_) std::fprintf(stderr, "\r\033[K");
  visible_ = false;
}

Progress::~Progress() { hide(); }

}  // namespace mend
