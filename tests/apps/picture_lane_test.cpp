// Lanes that share out pictures, with work that fails as GPUs do; all of them on the CPU here.
#include "apps/picture_lane.h"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "engine/cancel.h"
#include "engine/log.h"
#include "restore/image_file.h"
#include "tests/restore/make_images.h"
#include "tests/support/paths.h"

namespace mend::test {
namespace {

/// Pictures of 20, 21, ... columns, and lanes that copy them; a lane knows its number by TileOptions::size.
struct Lanes {
  using Run = std::function<void(int lane, int width)>;

  Lanes(int pictures, const Run& at_each) {
    std::filesystem::create_directory(folder / "in");
    for (int i = 0; i < pictures; ++i) {
      write_image(folder / ("in/" + std::to_string(i) + ".png"), pattern_image(20 + i, 9, 3, 8));
    }
    jobs = plan_jobs({folder / "in"}, folder / "out");
    work.run = [at_each](const std::string&, const Image& image, const TileOptions& tiles,
                         RestoreReport&) {
      at_each(tiles.size, image.width);
      return image;
    };
    set_log_level(LogLevel::kQuiet);
  }
  ~Lanes() { set_log_level(LogLevel::kNormal); }

  /// What each of `count` lanes returned.
  std::vector<ExitCode> run(int count) {
    PictureQueue queue(jobs.size(), static_cast<std::size_t>(count));
    PictureReports reports(jobs, "a network", false, [] {});
    LaneWork shared{
        work, write, jobs, can_be_read_ahead(jobs), queue, reports, [](std::size_t, int, int) {}};
    std::vector<std::future<ExitCode>> ends;
    for (int lane = 0; lane < count; ++lane) {
      ends.push_back(std::async(std::launch::async, [&shared, lane] {
        TileOptions tiles;
        tiles.size = lane;
        return PictureLane(shared, tiles).run();
      }));
    }
    std::vector<ExitCode> codes;
    for (auto& end : ends) codes.push_back(end.get());
    reports.tell_rest();
    result = reports.result();
    return codes;
  }
  /// How many results are there; each must be whole.
  int written() const {
    int count = 0;
    for (const Job& job : jobs) {
      if (!std::filesystem::exists(job.output)) continue;
      CHECK(read_image(job.output).bytes == read_image(job.input).bytes);
      ++count;
    }
    return count;
  }

  TemporaryFolder folder;
  std::vector<Job> jobs;
  Work work{"a network", {}};
  WriteOptions write;
  ExitCode result = ExitCode::kDone;
};

using Codes = std::vector<ExitCode>;

}  // namespace

TEST_CASE("picture lanes: any number of them writes each picture") {
  for (const int count : {1, 2, 3, 7}) {
    CAPTURE(count);
    Lanes lanes(6, [](int, int) {});
    CHECK(lanes.run(count) == Codes(static_cast<std::size_t>(count), ExitCode::kDone));
    CHECK(lanes.result == ExitCode::kDone);
    CHECK(lanes.written() == 6);
  }
}

TEST_CASE("picture lanes: where GPUs fail the others do their pictures, down to the last one") {
  for (const int good : {0, 1, 2}) {
    CAPTURE(good);
    Lanes lanes(7, [good](int lane, int) {
      if (lane != good) throw DeviceError("copying failed on cuda:9");
    });
    lanes.run(3);
    // A picture may meet both bad lanes, and is then thought to be to blame.
    const int failed = 7 - lanes.written();
    CHECK(failed <= 1);
    CHECK((lanes.result == ExitCode::kSomeFailed) == (failed > 0));
  }
}

TEST_CASE("picture lanes: a picture that fails on every GPU is the only one that is lost") {
  for (const int count : {1, 2, 3}) {
    CAPTURE(count);
    std::atomic<int> tried = 0;
    Lanes lanes(6, [&tried](int, int width) {
      if (width != 22) return;
      ++tried;
      throw DeviceError("a launch failed on cuda:0");
    });
    lanes.run(count);
    CHECK(tried == std::min(count, 2));
    CHECK(lanes.written() == 5);
    CHECK(lanes.result == ExitCode::kSomeFailed);
  }
}

TEST_CASE("picture lanes: other errors are those of their pictures") {
  Lanes lanes(6, [](int, int width) {
    if (width % 2 == 0) throw InputError("even");
  });
  lanes.run(2);
  CHECK(lanes.written() == 3);
  CHECK(lanes.result == ExitCode::kSomeFailed);
}

TEST_CASE("picture lanes: an interruption ends all of them, and what was computed is written") {
  Lanes lanes(9, [](int, int width) {
    if (width == 24) request_cancel();
  });
  const Codes codes = lanes.run(2);
  clear_cancel();
  CHECK(std::ranges::count(codes, ExitCode::kInterrupted) >= 1);
  CHECK(lanes.written() < 9);
}

}  // namespace mend::test
