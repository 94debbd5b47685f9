#include "apps/restore_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <future>
#include <new>
#include <nlohmann/json.hpp>

#include "apps/inputs.h"
#include "apps/progress.h"
#include "engine/cancel.h"
#include "engine/log.h"
#include "engine/parallel.h"

namespace mend {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// "photo.png" in front of messages about it, unless the message already names it.
std::string about(const std::string& input, const std::string& message) {
  const std::string name = input == "-" ? "standard input" : input;
  return message.rfind(name, 0) == 0 || message.rfind(input, 0) == 0
             ? message
             : fmt::format("{}: {}", name, message);
}

/// A picture as it was read.
struct Decoded {
  Image image;
  std::vector<std::string> notes;
  double seconds = 0;
};

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

Decoded decode(const Job& job) {
  if (!job.problem.empty()) throw InputError(job.problem);
  Decoded decoded;
  ReadOptions options;
  options.note = [&](const std::string& note) { decoded.notes.push_back(note); };
  const auto start = std::chrono::steady_clock::now();
  decoded.image = read_image(job.input, options);
  decoded.seconds = seconds_since(start);
  return decoded;
}

Written encode(const Job& job, Computed computed, WriteOptions options) {
  Written written;
  options.note = [&](const std::string& note) { written.notes.push_back(note); };
  const auto start = std::chrono::steady_clock::now();
  write_image(job.output, computed.result, options);
  written.seconds = seconds_since(start);
  computed.result.bytes = {};
  written.computed = std::move(computed);
  return written;
}

/// Runs the work on all inputs. While one is computed, the next is decoded and the one before it
/// encoded, each on a thread of its own: at most three pictures are in memory at once, and a single
/// input starts no thread. All that is told is told by the thread that computes, in the order of the
/// inputs.
class Batch {
 public:
  Batch(const Work& work, const FileOptions& files, const CommonOptions& common)
      : work_(work), files_(files), common_(common) {}

  ExitCode run() {
    jobs_ = plan_jobs(files_.inputs, files_.output);
    if (files_.output == "-") check_standard_output();
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      const ExitCode code = tried(jobs_[i], [&] {
        check_cancel();
        restore_one(i);
      });
      note(code);
      if (code == ExitCode::kInterrupted) {
        finish_writing();  // what was computed stays done
        return code;
      }
    }
    finish_writing();
    if (failed_ == 0) return ExitCode::kDone;
    if (jobs_.size() == 1) return last_failure_;
    inform(fmt::format("{} of {} inputs failed", failed_, jobs_.size()));
    return ExitCode::kSomeFailed;
  }

 private:
  void note(ExitCode code) {
    if (code == ExitCode::kDone) return;
    ++failed_;
    last_failure_ = code;
  }

  /// Does `step` for the job; a failure is reported, after all that is still to be told of the jobs
  /// before it.
  template <class Step>
  ExitCode tried(const Job& job, const Step& step) {
    try {
      step();
      return ExitCode::kDone;
    } catch (const Error& error) {
      return report_failure(job, error.what(), error.exit_code());
    } catch (const std::bad_alloc&) {
      return report_failure(job, "memory ran out; --memory caps what tiles take",
                            ExitCode::kOutOfMemory);
    } catch (const std::exception& error) {
      return report_failure(job, error.what(), ExitCode::kSomeFailed);
    }
  }

  void check_standard_output() const {
    if (common_.json) throw UsageError("-o - and --json both write to standard output");
    if (isatty(STDOUT_FILENO) == 1) {
      throw UsageError(
          "-o - writes PNG, which is nothing for a terminal; send it to a file or pipe");
    }
  }

  ExitCode report_failure(const Job& job, const std::string& message, ExitCode code) {
    finish_writing();
    const std::string text = about(job.input, message);
    report_error(text);
    if (common_.json) {
      print({{"input", job.input}, {"error", text}, {"exit_code", int(code)}});
    }
    return code;
  }

  static void print(const nlohmann::json& line) {
    std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    std::fflush(stdout);
  }

  /// Whether job i may be read while others are computed: a file of its own that is there already. A
  /// pipe may never end, and the thread that waits for it could not be stopped.
  bool can_be_read_ahead(std::size_t i) const {
    if (i >= jobs_.size() || !jobs_[i].problem.empty()) return false;
    std::error_code error;
    if (!std::filesystem::is_regular_file(jobs_[i].input, error)) return false;
    return std::none_of(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(i),
                        [&](const Job& before) {
                          return std::filesystem::equivalent(before.output, jobs_[i].input, error);
                        });
  }

  Decoded take_decoded(std::size_t i) {
    if (reading_.valid()) return reading_.get();
    if (i > 0) finish_writing();  // it may be the picture that is written now
    return decode(jobs_[i]);
  }

  void restore_one(std::size_t i) {
    const Job& job = jobs_[i];
    Decoded decoded = take_decoded(i);
    for (const std::string& note : decoded.notes) warn(note);
    if (can_be_read_ahead(i + 1)) {
      reading_ = std::async(std::launch::async, [next = jobs_[i + 1]] {
        set_threads(1);  // the others compute
        return decode(next);
      });
    }
    Computed computed = compute(i, decoded);
    decoded = {};
    check_cancel();
    finish_writing();
    if (jobs_.size() == 1) return tell(job, encode(job, std::move(computed), files_.write));
    writing_index_ = i;
    writing_ = std::async(std::launch::async,
                          [job, computed = std::move(computed), options = files_.write]() mutable {
                            set_threads(1);
                            return encode(job, std::move(computed), options);
                          });
  }

  Computed compute(std::size_t i, const Decoded& decoded) {
    const Image& image = decoded.image;
    Computed computed;
    computed.from_width = image.width;
    computed.from_height = image.height;
    computed.read_seconds = decoded.seconds;
    const auto start = std::chrono::steady_clock::now();
    const std::string place =
        jobs_.size() > 1 ? fmt::format(" ({} of {})", i + 1, jobs_.size()) : "";
    Progress progress(jobs_[i].input + place);
    TileOptions tiles = common_.tiles();
    tiles.progress = [&](int done, int all) {
      constexpr std::chrono::seconds kNow{0};
      if (writing_.valid() && writing_.wait_for(kNow) == std::future_status::ready) {
        progress.hide();
        finish_writing();
      }
      progress.update(done, all);
    };
    computed.result = work_.run(jobs_[i].input, image, tiles, computed.report);
    computed.compute_seconds = seconds_since(start);
    return computed;
  }

  /// Waits for the picture that is being written, if any, and tells how it went.
  void finish_writing() {
    if (!writing_.valid()) return;
    std::future<Written> writing = std::move(writing_);  // a failure comes here again
    const Job& job = jobs_[writing_index_];
    note(tried(job, [&] { tell(job, writing.get()); }));
  }

  void tell(const Job& job, const Written& written) {
    for (const std::string& note : written.notes) warn(note);
    const Computed& computed = written.computed;
    const Image& result = computed.result;
    if (!common_.json) {
      inform(fmt::format("{} -> {} ({}x{} -> {}x{}, {:.1f} s)", job.input, job.output,
                         computed.from_width, computed.from_height, result.width, result.height,
                         computed.read_seconds + computed.compute_seconds + written.seconds));
      return;
    }
    const RestoreReport& report = computed.report;
    const Tiling& tiling = report.tiling;
    nlohmann::json line = {
        {"input", job.input},
        {"output", job.output},
        {"network", work_.network},
        {"width", result.width},
        {"height", result.height},
        {"tile", std::max(tiling.cut.core_h, tiling.cut.core_w)},
        {"tile_width", tiling.cut.core_w},
        {"tile_height", tiling.cut.core_h},
        {"halo", tiling.cut.halo},
        {"blend", 2 * tiling.cut.blend},
        {"tiling", tiling.kind()},
        {"tiles_exact", tiling.exact},
        {"statistics", tiling.statistics()},
        {"read_ms", 1e3 * computed.read_seconds},
        {"compute_ms", 1e3 * computed.compute_seconds},
        {"write_ms", 1e3 * written.seconds},
    };
    if (report.sigma > 0) line["sigma"] = 255 * report.sigma;
    if (report.quality > 0) line["jpeg_quality"] = report.quality;
    print(line);
  }

  const Work& work_;
  const FileOptions& files_;
  const CommonOptions& common_;
  std::vector<Job> jobs_;
  int failed_ = 0;
  ExitCode last_failure_ = ExitCode::kDone;
  std::future<Decoded> reading_;  ///< of the job after the one that is computed
  std::future<Written> writing_;
  std::size_t writing_index_ = 0;
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
  const auto restorer = std::make_shared<Restorer>(model);
  return {model.description, [restorer, options](const std::string&, const Image& image,
                                                 const TileOptions& tiles, RestoreReport& report) {
            RestoreOptions with_tiles = options;
            with_tiles.tiles = tiles;
            return restorer->restore(image, with_tiles, &report);
          }};
}

ExitCode restore_files(const Work& work, const FileOptions& files, const CommonOptions& common) {
  return Batch(work, files, common).run();
}

}  // namespace mend
