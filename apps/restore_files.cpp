#include "apps/restore_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>

#include "apps/inputs.h"
#include "apps/picture_lane.h"
#include "apps/progress.h"
#include "engine/log.h"
#include "engine/parallel.h"

namespace mend {
namespace {

/// How far the picture is that one lane computes; of several lanes, all pictures together.
class PicturesProgress {
 public:
  PicturesProgress(const std::vector<Job>& jobs, bool together)
      : jobs_(jobs), parts_(together ? jobs.size() : 0) {
    if (together) shown_.emplace(fmt::format("{} pictures", jobs.size()));
  }

  void update(std::size_t picture, int done, int all) {
    const std::scoped_lock lock(mutex_);
    if (!parts_.empty()) {
      parts_[picture] = kParts * done / all;
      const int sum = std::accumulate(parts_.begin(), parts_.end(), 0);
      return shown_->update(sum, kParts * static_cast<int>(parts_.size()));
    }
    if (done == 0) {
      const std::string place =
          jobs_.size() > 1 ? fmt::format(" ({} of {})", picture + 1, jobs_.size()) : "";
      shown_.emplace(jobs_[picture].input + place);
    }
    if (done == all) return shown_->hide();
    shown_->update(done, all);
  }

  void hide() {
    const std::scoped_lock lock(mutex_);
    if (shown_) shown_->hide();
  }

 private:
  static constexpr int kParts = 100;  // of a picture

  const std::vector<Job>& jobs_;
  std::mutex mutex_;
  std::vector<int> parts_;
  std::optional<Progress> shown_;
};

void check_standard_output(const CommonOptions& common) {
  if (common.json) throw UsageError("-o - and --json both write to standard output");
  if (isatty(STDOUT_FILENO) == 1) {
    throw UsageError("-o - writes PNG, which is nothing for a terminal; send it to a file or pipe");
  }
}

/// One lane on a thread of its own. An error that is none of a picture ends all lanes.
ExitCode run_lane(LaneWork& shared, const TileOptions& tiles, int threads) {
  set_threads(threads);
  try {
    return PictureLane(shared, tiles).run();
  } catch (...) {
    shared.queue.stop();
    throw;
  }
}

ExitCode run_lanes(LaneWork& shared, const std::vector<Devices>& lanes, const TileOptions& tiles) {
  if (lanes.size() == 1) return PictureLane(shared, tiles).run();
  const int share = std::max(1, threads() / static_cast<int>(lanes.size()));
  std::vector<std::future<ExitCode>> ends;
  for (const Devices& devices : lanes) {
    TileOptions own = tiles;
    own.devices = devices;
    own.fallback_memory_bytes /= static_cast<std::int64_t>(lanes.size());
    ends.push_back(std::async(std::launch::async,
                              [&shared, own, share] { return run_lane(shared, own, share); }));
  }
  ExitCode code = ExitCode::kDone;
  for (std::future<ExitCode>& end : ends) code = std::max(code, end.get());
  return code;
}

/// Lanes for the pictures; one alone where a picture must wait for another.
std::vector<Devices> lanes_for(const std::vector<Job>& jobs, const std::vector<bool>& reads_ahead,
                               const Devices& devices) {
  const auto waits = std::ranges::find(reads_ahead, false);
  if (waits == reads_ahead.end()) return lanes_of(devices, jobs.size());
  if (devices.size() > 1 && jobs.size() > 1) {
    detail(
        fmt::format("one picture after the other, its tiles on all GPUs: {} may not be there "
                    "before another is written",
                    jobs[static_cast<std::size_t>(waits - reads_ahead.begin())].input));
  }
  return lanes_of(devices, 1);
}

/// A network for each lane, as lanes compute at the same time.
class Restorers {
 public:
  explicit Restorers(const Model& model) : model_(model) {}

  /// Of the lane whose first device this is.
  Restorer& of(const Device& device) {
    const std::scoped_lock lock(mutex_);
    return by_device_.try_emplace(&device, model_).first->second;
  }

 private:
  const Model model_;
  std::mutex mutex_;
  std::map<const Device*, Restorer> by_device_;
};

}  // namespace

void FileOptions::add_to(CLI::App& command) {
  command.add_option("input", inputs, "Pictures, folders, patterns, or - for standard input")
      ->required()
      ->type_name("INPUT");
  command
      .add_option("-o,--output", output,
                  "A file for one input, else a folder; - for PNG to standard output")
      ->required()
      ->type_name("OUTPUT");
  command.add_option("--quality", write.quality, "Of JPEG outputs, 1..100")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command.add_option("--bits", write.bits, "8 or 16 a channel; as the input by default")
      ->check(CLI::IsMember({8, 16}));
}

Work picture_work(const Model& model, const RestoreOptions& options) {
  const auto restorers = std::make_shared<Restorers>(model);
  return {model.description, [restorers, options](const std::string&, const Image& image,
                                                  const TileOptions& tiles, RestoreReport& report) {
            RestoreOptions with_tiles = options;
            with_tiles.tiles = tiles;
            return restorers->of(*tiles.devices.front()).restore(image, with_tiles, &report);
          }};
}

ExitCode restore_files(const Work& work, const FileOptions& files, const CommonOptions& common) {
  const std::vector<Job> jobs = plan_jobs(files.inputs, files.output);
  if (files.output == "-") check_standard_output(common);
  const TileOptions tiles = common.tiles();
  const std::vector<bool> reads_ahead = can_be_read_ahead(jobs);
  const std::vector<Devices> lanes = lanes_for(jobs, reads_ahead, tiles.devices);
  PicturesProgress progress(jobs, lanes.size() > 1);
  PictureQueue queue(jobs.size(), lanes.size());
  PictureReports reports(jobs, work.network, common.json, [&] { progress.hide(); });
  LaneWork shared{
      work,
      files.write,
      jobs,
      reads_ahead,
      queue,
      reports,
      [&](std::size_t picture, int done, int all) { progress.update(picture, done, all); }};
  const ExitCode end = run_lanes(shared, lanes, tiles);
  reports.tell_rest();
  return end == ExitCode::kInterrupted ? end : reports.result();
}

}  // namespace mend
