#include "apps/restore_files.h"

#include <fmt/format.h>
#include <unistd.h>

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
  Batch(const Model& model, const FileOptions& files, const CommonOptions& common,
        const RestoreOptions& options)
      : model_(model), files_(files), common_(common), options_(options) {}

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

    RestoreOptions options = options_;
    Tiling tiling;
    const auto compute_start = std::chrono::steady_clock::now();
    Image result;
    {
      const std::string place = count > 1 ? fmt::format(" ({} of {})", index + 1, count) : "";
      Progress progress(job.input + place);
      options.tiles.progress = [&](int done, int all) { progress.update(done, all); };
      result = restore(model_, image, options, &tiling);
    }
    const double compute_seconds = seconds_since(compute_start);

    check_cancel();
    const auto write_start = std::chrono::steady_clock::now();
    WriteOptions write = files_.write;
    write.note = read.note;
    write_image(job.output, result, write);
    const double write_seconds = seconds_since(write_start);

    if (common_.json) {
      const nlohmann::json line = {
          {"input", job.input},
          {"output", job.output},
          {"network", model_.description},
          {"width", result.width},
          {"height", result.height},
          {"tile", tiling.core},
          {"halo", tiling.halo},
          {"tiles_exact", tiling.exact},
          {"read_ms", 1e3 * read_seconds},
          {"compute_ms", 1e3 * compute_seconds},
          {"write_ms", 1e3 * write_seconds},
      };
      std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
      std::fflush(stdout);
    } else {
      inform(fmt::format("{} -> {} ({}x{} -> {}x{}, {:.1f} s)", job.input, job.output, image.width,
                         image.height, result.width, result.height, seconds_since(start)));
    }
  }

  const Model& model_;
  const FileOptions& files_;
  const CommonOptions& common_;
  const RestoreOptions& options_;
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

ExitCode restore_files(const Model& model, const FileOptions& files, const CommonOptions& common,
                       const RestoreOptions& options) {
  return Batch(model, files, common, options).run();
}

}  // namespace mend
