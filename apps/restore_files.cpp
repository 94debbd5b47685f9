#include "apps/restore_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>

#include "apps/inputs.h"
#include "apps/progress.h"
#include "engine/cancel.h"
#include "engine/log.h"

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

class Batch {
 public:
  Batch(const Work& work, const FileOptions& files, const CommonOptions& common)
      : work_(work), files_(files), common_(common) {}

  ExitCode run() {
    const std::vector<Job> jobs = plan_jobs(files_.inputs, files_.output);
    if (files_.output == "-") check_standard_output();
    int failed = 0;
    ExitCode last_failure = ExitCode::kDone;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      check_cancel();
      const ExitCode code = run_one(jobs[i], static_cast<int>(i), static_cast<int>(jobs.size()));
      if (code == ExitCode::kInterrupted) return code;
      if (code == ExitCode::kDone) continue;
      ++failed;
      last_failure = code;
    }
    if (failed == 0) return ExitCode::kDone;
    if (jobs.size() == 1) return last_failure;
    inform(fmt::format("{} of {} inputs failed", failed, jobs.size()));
    return ExitCode::kSomeFailed;
  }

 private:
  ExitCode run_one(const Job& job, int index, int count) {
    try {
      restore_one(job, index, count);
      return ExitCode::kDone;
    } catch (const Error& error) {
      report_failure(job, error.what(), error.exit_code());
      return error.exit_code();
    } catch (const std::bad_alloc&) {
      report_failure(job, "memory ran out; --memory caps what tiles take", ExitCode::kOutOfMemory);
      return ExitCode::kOutOfMemory;
    } catch (const std::exception& error) {
      report_failure(job, error.what(), ExitCode::kSomeFailed);
      return ExitCode::kSomeFailed;
    }
  }

  void check_standard_output() const {
    if (common_.json) throw UsageError("-o - and --json both write to standard output");
    if (isatty(STDOUT_FILENO) == 1) {
      throw UsageError(
          "-o - writes PNG, which is nothing for a terminal; send it to a file or pipe");
    }
  }

  void report_failure(const Job& job, const std::string& message, ExitCode code) {
    const std::string text = about(job.input, message);
    report_error(text);
    if (!common_.json) return;
    const nlohmann::json line = {{"input", job.input}, {"error", text}, {"exit_code", int(code)}};
    std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  }

  void restore_one(const Job& job, int index, int count) {
    if (!job.problem.empty()) throw InputError(job.problem);
    const auto start = std::chrono::steady_clock::now();
    ReadOptions read;
    read.note = [](const std::string& note) { warn(note); };
    const Image image = read_image(job.input, read);
    const double read_seconds = seconds_since(start);

    TileOptions tiles = common_.tiles();
    RestoreReport report;
    const auto compute_start = std::chrono::steady_clock::now();
    Image result;
    {
      const std::string place = count > 1 ? fmt::format(" ({} of {})", index + 1, count) : "";
      Progress progress(job.input + place);
      tiles.progress = [&](int done, int all) { progress.update(done, all); };
      result = work_.run(job.input, image, tiles, report);
    }
    const double compute_seconds = seconds_since(compute_start);

    check_cancel();
    const auto write_start = std::chrono::steady_clock::now();
    WriteOptions write = files_.write;
    write.note = read.note;
    write_image(job.output, result, write);
    const double write_seconds = seconds_since(write_start);

    if (common_.json) {
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
          {"read_ms", 1e3 * read_seconds},
          {"compute_ms", 1e3 * compute_seconds},
          {"write_ms", 1e3 * write_seconds},
      };
      if (report.sigma > 0) line["sigma"] = 255 * report.sigma;
      if (report.quality > 0) line["jpeg_quality"] = report.quality;
      std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
      std::fflush(stdout);
    } else {
      inform(fmt::format("{} -> {} ({}x{} -> {}x{}, {:.1f} s)", job.input, job.output, image.width,
                         image.height, result.width, result.height, seconds_since(start)));
    }
  }

  const Work& work_;
  const FileOptions& files_;
  const CommonOptions& common_;
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
  return {model.description, [model, options](const std::string&, const Image& image,
                                              const TileOptions& tiles, RestoreReport& report) {
            RestoreOptions with_tiles = options;
            with_tiles.tiles = tiles;
            return restore(model, image, with_tiles, &report);
          }};
}

ExitCode restore_files(const Work& work, const FileOptions& files, const CommonOptions& common) {
  return Batch(work, files, common).run();
}

}  // namespace mend
