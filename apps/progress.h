// A line on a terminal that says how far long work is and how long it will take.
#pragma once

#include <chrono>
#include <string>

namespace mend {

/// Shows itself only if stderr is a terminal and messages are not turned off, and only once work
/// has taken half a second; removes itself at the end.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(int done, int all);
  /// Takes the line away until the next update(), so that a message can be printed.
  void hide();

 private:
  std::string what_;
  std::chrono::steady_clock::time_point start_, shown_;
  bool enabled_, visible_ = false;
};

}  // namespace mend
