#include "apps/picture_reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/log.h"

namespace mend {
namespace {

/// "photo.png" in front of messages about it, unless the message already names it.
std::string about(const std::string& input, const std::string& message) {
  const std::string name = input == "-" ? "standard input" : input;
  return message.rfind(name, 0) == 0 || message.rfind(input, 0) == 0
             ? message
             : fmt::format("{}: {}", name, message);
}

void print(const nlohmann::json& line) {
  std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

}  // namespace

PictureReports::PictureReports(const std::vector<Job>& jobs, std::string network, bool json,
                               std::function<void()> hide)
    : jobs_(jobs),
      network_(std::move(network)),
      json_(json),
      hide_(std::move(hide)),
      untold_(jobs.size()) {}

void PictureReports::add(std::size_t picture, std::function<void()> tell) {
  untold_[picture] = std::move(tell);
  for (; next_ < untold_.size() && untold_[next_]; ++next_) {
    hide_();
    std::exchange(untold_[next_], nullptr)();
  }
}

void PictureReports::add_written(std::size_t picture, Written written) {
  const std::scoped_lock lock(mutex_);
  add(picture,
      [this, picture, written = std::move(written)] { tell_written(jobs_[picture], written); });
}

void PictureReports::add_failure(std::size_t picture, const std::string& message, ExitCode code) {
  const std::scoped_lock lock(mutex_);
  ++failed_;
  last_failure_ = code;
  add(picture, [this, picture, message, code] { tell_failure(jobs_[picture], message, code); });
}

void PictureReports::tell_rest() {
  const std::scoped_lock lock(mutex_);
  hide_();
  for (auto& tell : untold_) {
    if (tell) std::exchange(tell, nullptr)();
  }
}

ExitCode PictureReports::result() {
  const std::scoped_lock lock(mutex_);
  if (failed_ == 0) return ExitCode::kDone;
  if (jobs_.size() == 1) return last_failure_;
  inform(fmt::format("{} of {} inputs failed", failed_, jobs_.size()));
  return ExitCode::kSomeFailed;
}

void PictureReports::tell_failure(const Job& job, const std::string& message, ExitCode code) const {
  const std::string text = about(job.input, message);
  report_error(text);
  if (json_) print({{"input", job.input}, {"error", text}, {"exit_code", int(code)}});
}

void PictureReports::tell_written(const Job& job, const Written& written) const {
  for (const std::string& note : written.notes) warn(note);
  const Computed& computed = written.computed;
  const Image& result = computed.result;
  if (!json_) {
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
      {"network", network_},
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

}  // namespace mend
