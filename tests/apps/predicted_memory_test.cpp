// What `mend explain` says of memory, against what a run takes.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"

using namespace mend;
using namespace mend::test;

namespace {

double megabytes(double bytes) { return bytes / 1e6; }

/// Writes a picture in a process of its own: what this one holds would count as the program's.
void write_picture(const std::string& path, int width, int height) {
  const pid_t process = fork();
  if (process == 0) {
    write_image(path, smooth_image(width, height, 3));
    _exit(0);
  }
  int status = 0;
  waitpid(process, &status, 0);
  REQUIRE(status == 0);
}

void check_prediction(const std::string& network, int width, int height,
                      const std::vector<std::string>& options = {}) {
  const TemporaryFolder folder;
  write_picture(folder / "in.png", width, height);
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  const Finished told = mend_run({"explain", network, "--size", size, "--json"});
  REQUIRE(told.code == 0);
  const double predicted = nlohmann::json::parse(told.out).at("peak_bytes").get<double>();
  std::vector<std::string> command = {"run",    network, folder / "in.png", "-o",
                                      folder / "out.png", "--tile", "off"};
  command.insert(command.end(), options.begin(), options.end());
  const Finished run = mend_run(command);
  REQUIRE(run.code == 0);
  const auto measured = static_cast<double>(run.peak_bytes);
  MESSAGE(network << ": " << megabytes(predicted) << " MB predicted, " << megabytes(measured)
                  << " MB measured");
  CHECK(measured == doctest::Approx(predicted).epsilon(0.1));
}

}  // namespace

TEST_CASE("mend explain: peak memory of a run is predicted within a tenth") {
  const TemporaryFolder folder;
  SUBCASE("convolutions that keep the size, as DnCNN's") {
    check_prediction(tiny_dncnn(3, 64, 4).write(folder / "net.safetensors"), 512, 384);
  }
  SUBCASE("enlarging by 4: the result is larger than the features") {
    check_prediction(tiny_srvgg(4, 32, 2).write(folder / "net.safetensors"), 384, 320);
  }
  SUBCASE("wide layers on a small picture: packed weights are most of it") {
    check_prediction(tiny_dncnn(3, 256, 6).write(folder / "net.safetensors"), 96, 64);
  }
  SUBCASE("skip connections that live long, as in EDSR, and numbers up to 255") {
    check_prediction(tiny_edsr(64, 2).write(folder / "net.safetensors"), 320, 256);
  }
  SUBCASE("dense blocks, as in RRDBNet") {
    check_prediction(tiny_rrdbnet(64, 32, 1).write(folder / "net.safetensors"), 256, 192);
  }
}
