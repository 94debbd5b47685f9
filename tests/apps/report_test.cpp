// What the program tells while it works and afterwards: JSON for programs, progress for people.
#include <doctest/doctest.h>
#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"

using namespace mend;
using namespace mend::test;

namespace {

using Json = nlohmann::json;

/// Every line of `text` as JSON; REQUIREs that it is.
std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> parsed;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    parsed.push_back(Json::parse(line, nullptr, false));
    REQUIRE(!parsed.back().is_discarded());
  }
  return parsed;
}

/// A pseudo-terminal: what a program writes to `terminal` can be read from `screen`.
struct PseudoTerminal {
  PseudoTerminal() {
    REQUIRE(grantpt(screen) == 0);
    REQUIRE(unlockpt(screen) == 0);
    terminal = open(ptsname(screen), O_RDWR | O_NOCTTY);
    REQUIRE(terminal >= 0);
  }
  ~PseudoTerminal() { close(screen); }
  /// All that appears until the program lets go of the terminal.
  std::string watch() {
    close(terminal);
    std::string shown;
    char bytes[512];
    for (ssize_t count; (count = read(screen, bytes, sizeof bytes)) > 0;) {
      shown.append(bytes, static_cast<std::size_t>(count));
    }
    return shown;
  }
  int screen = posix_openpt(O_RDWR | O_NOCTTY);
  int terminal = -1;
};

}  // namespace

TEST_CASE("mend --json: one line an input, failures too, and nothing else on standard output") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  write_image(folder / "good \"quoted\".png", smooth_image(30, 20, 3));
  write_file(folder / "bad\xFF.png", "no picture");  // a name that is no UTF-8
  const Finished run = mend_run({"upscale", folder / "good \"quoted\".png", folder / "bad\xFF.png",
                                 "-w", network, "-o", folder / "out", "--json", "--tile", "16"});
  CHECK(run.code == 1);
  const std::vector<Json> lines = json_lines(run.out);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("input") == folder / "good \"quoted\".png");
  CHECK(lines[0].at("output") == folder / "out/good \"quoted\".png");
  CHECK(lines[0].at("width") == 60);
  CHECK(lines[0].at("height") == 40);
  CHECK(lines[0].at("tile") == 16);
  CHECK(lines[0].at("tiles_exact") == true);
  CHECK(lines[0].at("compute_ms").get<double>() > 0);
  CHECK(lines[1].at("exit_code") == 3);
  CHECK(lines[1].at("error").get<std::string>().find("not an image") != std::string::npos);
}

TEST_CASE("mend: every command that tells something tells it as JSON too") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  write_image(folder / "a.png", smooth_image(30, 20, 3));
  const std::vector<std::string> commands[] = {
      {"inspect", network, "--json", "--keys"},
      {"explain", network, "--json", "--size", "64x48"},
      {"compare", folder / "a.png", folder / "a.png", "--json"},
      {"doctor", "--json"},
  };
  for (const std::vector<std::string>& command : commands) {
    CAPTURE(command[0]);
    const Finished run = mend_run(command);
    CHECK(run.code == 0);
    CHECK(!json_lines(run.out).empty());
  }
  const Json models = Json::parse(mend_run({"models", "--json"}).out);
  CHECK(models.at("networks").size() > 10);
  CHECK(models.at("checkpoints").size() > 10);
  CHECK(mend_run({"models"}).out.find("rrdbnet") != std::string::npos);
}

TEST_CASE("mend doctor: tells what the machine has and why nothing runs elsewhere") {
  const Finished run = mend_run({"doctor"});
  CHECK(run.code == 0);
  for (const char* subject : {"processor", "instructions", "memory", "device cpu", "device cuda",
                              "images", "networks", "downloads", "cache"}) {
    CAPTURE(subject);
    CHECK(run.out.find(std::string("\n") + subject + "  ") != std::string::npos);
  }
}

TEST_CASE("mend: progress and time left are shown on a terminal, and there alone") {
  std::string tile;
  SUBCASE("in tiles") { tile = "32"; }
  SUBCASE("in one piece") { tile = "off"; }
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg(2, 16, 3).write(folder / "net.safetensors");
  write_image(folder / "a.png", smooth_image(480, 400, 3));
  const std::vector<std::string> work = {"upscale",  folder / "a.png",   "-w",     network,
                                         "-o",       folder / "out.png", "--tile", tile,
                                         "--kernel", "conv2d=reference"};
  PseudoTerminal pseudo;
  std::string shown;
  Surroundings around;
  around.terminal = pseudo.terminal;
  around.meanwhile = [&](pid_t, const std::string&) { shown = pseudo.watch(); };
  const Finished on_terminal = mend_run(work, around);
  CAPTURE(shown);
  CHECK(on_terminal.code == 0);
  REQUIRE(on_terminal.seconds > 0.6);  // else there was nothing to show; it starts at 0.5 s
  CHECK(shown.find("a.png: ") != std::string::npos);
  CHECK(shown.find("%, ") != std::string::npos);
  CHECK(shown.find(" s left") != std::string::npos);
  CHECK(shown.rfind("\r\033[K") > shown.rfind(" left"));  // removed at the end

  const Finished elsewhere = mend_run(work);
  CHECK(elsewhere.err.find(" left") == std::string::npos);
  CHECK(elsewhere.err.find('\r') == std::string::npos);
  CHECK(elsewhere.lines_on_stderr() == 1);
}

TEST_CASE("mend -v: says which kernels run and how the picture is cut") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  write_image(folder / "a.png", smooth_image(30, 20, 3));
  const Finished run = mend_run(
      {"upscale", folder / "a.png", "-w", network, "-o", folder / "out.png", "-v", "--tile", "16"});
  CHECK(run.code == 0);
  for (const char* part : {"SRVGGNetCompact(", "runs on conv2d/", "tiles of 16 with a halo of"}) {
    CAPTURE(part);
    CHECK(run.err.find(part) != std::string::npos);
  }
}
