// What became of many pictures: told in their order, whoever is done first.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "apps/inputs.h"
#include "engine/error.h"
#include "restore/image.h"
#include "restore/restore.h"

namespace mend {

/// What is known of a result before it is written, and what it needs for that.
struct Computed {
  Image result;
  RestoreReport report;
  int from_width = 0, from_height = 0;
  double read_seconds = 0, compute_seconds = 0;
};

struct Written {
  Computed computed;  ///< without its pixels
  std::vector<std::string> notes;
  double seconds = 0;
};

/// For the threads of all lanes.
class PictureReports {
 public:
  /// `network`: how reports call it. `hide`: called before anything is told.
  PictureReports(const std::vector<Job>& jobs, std::string network, bool json,
                 std::function<void()> hide);

  void add_written(std::size_t picture, Written written);
  void add_failure(std::size_t picture, const std::string& message, ExitCode code);
  /// What waits for pictures that an interruption left out.
  void tell_rest();
  /// Tells how many failed. kDone, the failure's own code if there was one picture, else kSomeFailed.
  ExitCode result();

 private:
  void add(std::size_t picture, std::function<void()> tell);
  void tell_written(const Job& job, const Written& written) const;
  void tell_failure(const Job& job, const std::string& message, ExitCode code) const;

  const std::vector<Job>& jobs_;
  const std::string network_;
  const bool json_;
  const std::function<void()> hide_;
  std::mutex mutex_;
  std::vector<std::function<void()>> untold_;  // by picture; empty: not known yet, or told
  std::size_t next_ = 0;                       // to be told
  int failed_ = 0;
  ExitCode last_failure_ = ExitCode::kDone;
};

}  // namespace mend
