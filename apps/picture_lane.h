// The pictures of one lane of devices: while one is computed, the next is decoded and the one before it encoded,
// each on a thread of its own. So a lane has at most three pictures in memory.
#pragma once

#include <cstddef>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "apps/picture_reports.h"
#include "apps/restore_files.h"
#include "restore/picture_queue.h"

namespace mend {

/// What all lanes share.
struct LaneWork {
  const Work& work;
  const WriteOptions& write;
  const std::vector<Job>& jobs;
  std::vector<bool> reads_ahead;  ///< by job: whether it may be read while others are computed
  PictureQueue& queue;
  PictureReports& reports;
  /// Called before a picture is computed, with 0, and after each step of its tiles.
  std::function<void(std::size_t picture, int done, int all)> progress;
};

class PictureLane {
 public:
  /// `tiles`: where and how.
  PictureLane(LaneWork& shared, TileOptions tiles);

  /// Computes pictures until there are no more, or its GPU fails while there are other lanes. Returns kInterrupted,
  /// or kDone.
  ExitCode run();

 private:
  /// A picture as it was read.
  struct Decoded {
    Image image;
    std::vector<std::string> notes;
    double seconds = 0;
  };
  static Decoded decode(const Job& job);
  static Written encode(const Job& job, Computed computed, WriteOptions options);

  std::optional<std::size_t> next();
  /// Whether the lane goes on: not after an interruption, or when its GPU failed and others take its pictures.
  bool try_picture(std::size_t picture);
  void restore(std::size_t picture);
  Decoded take_decoded(std::size_t picture);
  void read_ahead();
  Computed compute(std::size_t picture, const Decoded& decoded);
  void write(std::size_t picture, Computed computed);
  /// Waits for the picture that is being written, if any, and reports it.
  void finish_writing();
  /// Hands the pictures on, if there are other lanes, and says so.
  bool retire(std::size_t picture, const DeviceError& error);
  void fail(std::size_t picture, const std::string& message, ExitCode code);

  LaneWork& shared_;
  TileOptions tiles_;
  std::optional<std::size_t> ahead_;  // taken, and being read
  std::future<Decoded> reading_;
  std::future<Written> writing_;
  std::size_t writing_index_ = 0;
  bool interrupted_ = false;
};

}  // namespace mend
