// Runs that do not reach their end: signals, full disks. Nothing half-written may stay.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <thread>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"

using namespace mend;
using namespace mend::test;

namespace fs = std::filesystem;

namespace {

using Signals = std::vector<int>;

/// Waits until the run with -v says how the large picture is cut, and sends the signals.
Surroundings interrupted_by(const Signals& signals, std::chrono::milliseconds pause = {}) {
  Surroundings around;
  around.meanwhile = [signals, pause](pid_t process, const std::string& err) {
    for (int attempt = 0; attempt < 5000; ++attempt) {
      const bool exists = fs::exists(err);
      if (exists && read_file(err).find("1500x1200 in ") != std::string::npos) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    for (const int signal : signals) {
      std::this_thread::sleep_for(pause);
      kill(process, signal);
    }
  };
  return around;
}

/// A folder with a picture and a network that work for half a minute, by the slowest kernels.
struct LongWork {
  LongWork() { write_image(folder / "in/large.png", smooth_image(1500, 1200, 3)); }
  Finished run(const std::vector<std::string>& inputs, const std::string& tile,
               const Surroundings& around) const {
    std::vector<std::string> arguments = {"upscale", "-v", "-w", network, "-o", folder / "out/"};
    arguments.insert(arguments.end(), {"--tile", tile, "--kernel", "conv2d=reference"});
    arguments.insert(arguments.end(), inputs.begin(), inputs.end());
    return mend_run(arguments, around);
  }
  TemporaryFolder folder;
  bool made = fs::create_directory(folder / "in");
  std::string network = tiny_srvgg(2, 16, 3).write(folder / "net.safetensors");
};

}  // namespace

TEST_CASE("mend: a signal stops the work soon, with 75 and nothing half-written") {
  const LongWork work;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(signal);
    const Finished run = work.run({work.folder / "in/large.png"}, "32", interrupted_by({signal}));
    CAPTURE(run.err);
    CHECK(run.code == 75);
    CHECK(run.seconds < 10);
    REQUIRE(run.errors().size() == 1);
    CHECK(run.errors()[0].find("interrupted") != std::string::npos);
    CHECK(files_in(work.folder / "out").empty());
  }
}

TEST_CASE("mend: a second signal ends the program at once, inside a step too") {
  const LongWork work;
  // One tile of 1000 pixels: a single convolution takes the reference longer than this test may.
  const Finished run = work.run({work.folder / "in/large.png"}, "1000",
                                interrupted_by({SIGINT, SIGINT}, std::chrono::milliseconds(100)));
  CAPTURE(run.err);
  CHECK(run.code == 75);
  CHECK(run.seconds < 3);
  CHECK(files_in(work.folder / "out").empty());
}

TEST_CASE("mend: what was done before the signal stays done") {
  const LongWork work;
  write_image(work.folder / "in/first.png", smooth_image(16, 12, 3));
  const Finished run = work.run({work.folder / "in/first.png", work.folder / "in/large.png"}, "32",
                                interrupted_by({SIGINT}));
  CHECK(run.code == 75);
  CHECK(files_in(work.folder / "out") == "first.png");
}

TEST_CASE("mend: a signal ends the wait for a picture that never comes") {
  const LongWork work;
  const std::string pipe = work.folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const int writer = open(pipe.c_str(), O_RDWR);  // opened for both, so that nobody waits for us
  Surroundings around;
  around.standard_input = pipe;
  around.meanwhile = [&](pid_t process, const std::string&) {
    CHECK(write(writer, "P6 100 100 255\n", 15) == 15);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    kill(process, SIGINT);
  };
  const Finished run = work.run({"-"}, "32", around);
  close(writer);
  CAPTURE(run.err);
  CHECK(run.code == 75);
  CHECK(run.seconds < 3);
}

TEST_CASE("mend: a disk that fills up ends with 7 and leaves the old file and nothing new") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  write_image(folder / "in.png", pattern_image(200, 150, 3, 8));
  fs::create_directory(folder / "out");
  for (const char* name : {"a.png", "a.jpg", "a.bmp", "a.ppm", "a.pam"}) {
    CAPTURE(name);
    const std::string output = folder / "out" + "/" + name;
    write_file(output, "old");
    Surroundings around;
    around.file_limit_bytes = 8192;
    const std::vector<std::string> arguments = {
        "upscale", folder / "in.png", "-w", network, "-o", output, "-q"};
    const Finished limited = mend_run(arguments, around);
    CAPTURE(limited.err);
    CHECK(limited.code == 7);
    CHECK(limited.errors().size() == 1);
    CHECK(limited.lines_on_stderr() == 1);
    CHECK(limited.err.find(output) != std::string::npos);
    CHECK(read_file(output) == "old");
    CHECK(files_in(folder / "out") == name);

    fs::remove(output);
    fs::create_symlink("/dev/full", output);
    const Finished full = mend_run(arguments);
    CHECK(full.code == 7);
    CHECK(full.errors().size() == 1);
    CHECK(full.err.find("is full") != std::string::npos);
    CHECK(files_in(folder / "out") == name);
    fs::remove(output);
  }
}

TEST_CASE("mend convert: a disk that fills up leaves no part of a checkpoint") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg(2, 32, 2).write(folder / "net.safetensors");
  Surroundings around;
  around.file_limit_bytes = 8192;
  const Finished run = mend_run({"convert", network, folder / "copy.safetensors"}, around);
  CAPTURE(run.err);
  CHECK(run.code == 7);
  CHECK(run.errors().size() == 1);
  CHECK(files_in(folder.path()) == "net.safetensors");
}
