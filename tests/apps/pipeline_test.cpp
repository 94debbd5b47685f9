// Several pictures in one run: read ahead, written behind, told in order.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"

using namespace mend;
using namespace mend::test;

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

std::string name(int i) { return "p" + std::to_string(i) + ".png"; }

}  // namespace

TEST_CASE("mend: of many pictures each gets the result that it gets alone") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  fs::create_directory(folder / "in");
  std::vector<std::string> command = {"upscale", "-w", network, "-o", folder / "out/", "--json"};
  for (int i = 0; i < 7; ++i) {
    write_image(folder / "in" + "/" + name(i), smooth_image(20 + 30 * (i % 3), 20 + i, 3));
    command.push_back(folder / "in" + "/" + name(i));
  }
  const Finished run = mend_run(command);
  CHECK(run.code == 0);
  const std::vector<Json> lines = json_lines(run.out);
  REQUIRE(lines.size() == 7);
  for (int i = 0; i < 7; ++i) {
    CAPTURE(i);
    CHECK(lines[static_cast<std::size_t>(i)].at("input") == folder / "in" + "/" + name(i));
    CHECK(lines[static_cast<std::size_t>(i)].at("write_ms").get<double>() > 0);
    const std::string alone = folder / "alone.png";
    mend_run({"upscale", folder / "in" + "/" + name(i), "-w", network, "-o", alone});
    CHECK(read_file(folder / "out" + "/" + name(i)) == read_file(alone));
  }
}

TEST_CASE("mend: failures of reading and of writing are told in the order of the inputs") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  fs::create_directory(folder / "in");
  fs::create_directory(folder / "out");
  for (int i = 0; i < 6; ++i) {
    write_image(folder / "in" + "/" + name(i), smooth_image(40, 30, 3));
  }
  write_file(folder / "in" + "/" + name(0), "no picture");
  write_file(folder / "in" + "/" + name(3), "no picture");
  fs::create_symlink("/dev/full", folder / "out" + "/" + name(2));
  fs::create_symlink("/dev/full", folder / "out" + "/" + name(5));
  const Finished run =
      mend_run({"upscale", folder / "in", "-w", network, "-o", folder / "out", "--json"});
  CHECK(run.code == 1);
  const std::vector<Json> lines = json_lines(run.out);
  REQUIRE(lines.size() == 6);
  const int codes[] = {3, 0, 7, 3, 0, 7};
  for (int i = 0; i < 6; ++i) {
    CAPTURE(i);
    const Json& line = lines[static_cast<std::size_t>(i)];
    CHECK(line.at("input") == folder / "in" + "/" + name(i));
    CHECK(line.value("exit_code", 0) == codes[i]);
  }
  REQUIRE(run.errors().size() == 4);
  for (int i = 0; i < 4; ++i) {
    const int failed[] = {0, 2, 3, 5};
    CHECK(run.errors()[static_cast<std::size_t>(i)].find(name(failed[i])) != std::string::npos);
  }
  CHECK(run.err.find("4 of 6 inputs failed") != std::string::npos);
}

TEST_CASE("mend: a picture that an earlier one is written over is read after that") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  for (const char* part : {"in", "out"}) fs::create_directory(folder / part);
  write_image(folder / "in/a.png", smooth_image(30, 20, 3));
  write_image(folder / "out/a.png", smooth_image(8, 8, 3));
  // The second input is the first's result under another name.
  fs::create_symlink(folder / "out/a.png", folder / "b.png");
  const Finished run = mend_run({"upscale", folder / "in/a.png", folder / "b.png", "-w", network,
                                 "-o", folder / "out", "--json"});
  CHECK(run.code == 0);
  const std::vector<Json> lines = json_lines(run.out);
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].at("width") == 4 * 30);
}
