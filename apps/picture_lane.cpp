#include "apps/picture_lane.h"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <new>
#include <utility>

#include "engine/cancel.h"
#include "engine/log.h"
#include "engine/parallel.h"

namespace mend {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Does `step`, and gives its failure to `failed(message, code)`. Whether there was none.
template <class Step, class Failed>
bool tried(const Step& step, const Failed& failed) {
  try {
    step();
    return true;
  } catch (const Error& error) {
    failed(error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    failed("memory ran out; --memory caps what tiles take", ExitCode::kOutOfMemory);
  } catch (const std::exception& error) {
    failed(error.what(), ExitCode::kSomeFailed);
  }
  return false;
}

}  // namespace

PictureLane::Decoded PictureLane::decode(const Job& job) {
  if (!job.problem.empty()) throw InputError(job.problem);
  Decoded decoded;
  ReadOptions options;
  options.note = [&](const std::string& note) { decoded.notes.push_back(note); };
  const auto start = std::chrono::steady_clock::now();
  decoded.image = read_image(job.input, options);
  decoded.seconds = seconds_since(start);
  return decoded;
}

Written PictureLane::encode(const Job& job, Computed computed, WriteOptions options) {
  Written written;
  options.note = [&](const std::string& note) { written.notes.push_back(note); };
  const auto start = std::chrono::steady_clock::now();
  write_image(job.output, computed.result, options);
  written.seconds = seconds_since(start);
  computed.result.bytes = {};
  written.computed = std::move(computed);
  return written;
}

PictureLane::PictureLane(LaneWork& shared, TileOptions tiles)
    : shared_(shared), tiles_(std::move(tiles)) {}

ExitCode PictureLane::run() {
  while (const std::optional<std::size_t> picture = next()) {
    if (!try_picture(*picture)) break;
  }
  finish_writing();  // what was computed stays done
  return interrupted_ ? ExitCode::kInterrupted : ExitCode::kDone;
}

std::optional<std::size_t> PictureLane::next() {
  if (ahead_) return std::exchange(ahead_, std::nullopt);
  finish_writing();  // to take one may be to wait, and the next may be the picture that is written now
  return shared_.queue.take();
}

bool PictureLane::try_picture(std::size_t picture) {
  try {
    check_cancel();
    restore(picture);
    return true;
  } catch (const DeviceError& error) {
    if (retire(picture, error)) return false;
    fail(picture, error.what(), error.exit_code());
  } catch (const Interrupted& error) {
    interrupted_ = true;
    shared_.queue.stop();
    fail(picture, error.what(), error.exit_code());
    if (ahead_) shared_.queue.finish();
    return false;
  } catch (...) {
    tried([] { throw; },
          [&](const std::string& message, ExitCode code) { fail(picture, message, code); });
  }
  return true;
}

void PictureLane::fail(std::size_t picture, const std::string& message, ExitCode code) {
  shared_.reports.add_failure(picture, message, code);
  shared_.queue.finish();
}

bool PictureLane::retire(std::size_t picture, const DeviceError& error) {
  if (!shared_.queue.hand_on(picture)) return false;
  if (ahead_) shared_.queue.put_back(*ahead_);
  warn(fmt::format("{}: {}; the other GPUs go on without {}", shared_.jobs[picture].input,
                   error.what(), tiles_.devices.front()->name()));
  return true;
}

PictureLane::Decoded PictureLane::take_decoded(std::size_t picture) {
  return reading_.valid() ? reading_.get() : decode(shared_.jobs[picture]);
}

void PictureLane::read_ahead() {
  const std::optional<std::size_t> following = shared_.queue.take_ahead(shared_.reads_ahead);
  if (!following) return;
  ahead_ = following;
  reading_ = std::async(std::launch::async, [job = shared_.jobs[*following]] {
    set_threads(1);  // the others compute
    return decode(job);
  });
}

void PictureLane::restore(std::size_t picture) {
  Decoded decoded = take_decoded(picture);
  for (const std::string& note : decoded.notes) warn(note);
  read_ahead();
  Computed computed = compute(picture, decoded);
  decoded = {};
  check_cancel();
  finish_writing();
  write(picture, std::move(computed));
  shared_.queue.finish();
}

Computed PictureLane::compute(std::size_t picture, const Decoded& decoded) {
  const Image& image = decoded.image;
  Computed computed;
  computed.from_width = image.width;
  computed.from_height = image.height;
  computed.read_seconds = decoded.seconds;
  const auto start = std::chrono::steady_clock::now();
  shared_.progress(picture, 0, 1);
  tiles_.progress = [&](int done, int all) {
    constexpr std::chrono::seconds kNow{0};
    if (writing_.valid() && writing_.wait_for(kNow) == std::future_status::ready) finish_writing();
    shared_.progress(picture, done, all);
  };
  computed.result = shared_.work.run(shared_.jobs[picture].input, image, tiles_, computed.report);
  computed.compute_seconds = seconds_since(start);
  return computed;
}

void PictureLane::write(std::size_t picture, Computed computed) {
  writing_index_ = picture;
  // A single picture starts no thread.
  const auto how = shared_.jobs.size() == 1 ? std::launch::deferred : std::launch::async;
  writing_ = std::async(how, [how, job = shared_.jobs[picture], computed = std::move(computed),
                              options = shared_.write]() mutable {
    if (how == std::launch::async) set_threads(1);
    return encode(job, std::move(computed), options);
  });
}

void PictureLane::finish_writing() {
  if (!writing_.valid()) return;
  const std::size_t picture = writing_index_;
  tried([&] { shared_.reports.add_written(picture, std::exchange(writing_, {}).get()); },
        [&](const std::string& message, ExitCode code) {
          shared_.reports.add_failure(picture, message, code);
        });
}

}  // namespace mend
