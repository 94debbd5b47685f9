// What `mend explain` says of memory, against what a run takes.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"
#include "tests/support/golden.h"
#include "weights/safetensors.h"

using namespace mend;
using namespace mend::test;

namespace {

double megabytes(double bytes) { return bytes / 1e6; }

/// What this process holds at most would count as that of the programs that it starts.
template <class Work>
void in_another_process(const Work& work) {
  const pid_t process = fork();
  if (process == 0) {
    work();
    _exit(0);
  }
  int status = 0;
  waitpid(process, &status, 0);
  REQUIRE(status == 0);
}

/// Runs `network`, which must restore pictures, on one of that size; false if it does not.
bool check_prediction(const std::string& network, int width, int height) {
  const TemporaryFolder folder;
  in_another_process([&] { write_image(folder / "in.png", smooth_image(width, height, 3)); });
  const Finished run = mend_run(
      {"run", network, folder / "in.png", "-o", folder / "out.png", "--tile", "off", "--json"});
  if (run.code == 2) return false;
  REQUIRE(run.code == 0);
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  const Finished told = mend_run({"explain", network, "--size", size, "--json"});
  REQUIRE(told.code == 0);
  const double predicted = nlohmann::json::parse(told.out).at("peak_bytes").get<double>();
  const auto measured = static_cast<double>(run.peak_bytes);
  MESSAGE(nlohmann::json::parse(run.out).at("network").get<std::string>()
          << ": " << megabytes(predicted) << " MB predicted, " << megabytes(measured)
          << " MB measured");
  CHECK(measured == doctest::Approx(predicted).epsilon(0.1));
  return true;
}

}  // namespace

TEST_CASE("mend explain: peak memory of a run is predicted within a tenth") {
  const TemporaryFolder folder;
  bool restores = false;
  SUBCASE("convolutions that keep the size, as DnCNN's") {
    restores = check_prediction(tiny_dncnn(3, 64, 4).write(folder / "net.safetensors"), 512, 384);
  }
  SUBCASE("enlarging by 4: the result is larger than the features") {
    restores = check_prediction(tiny_srvgg(4, 32, 2).write(folder / "net.safetensors"), 384, 320);
  }
  SUBCASE("wide layers on a small picture: packed weights are most of it") {
    restores = check_prediction(tiny_dncnn(3, 256, 6).write(folder / "net.safetensors"), 96, 64);
  }
  SUBCASE("skip connections that live long, as in EDSR, and numbers up to 255") {
    restores = check_prediction(tiny_edsr(64, 2).write(folder / "net.safetensors"), 320, 256);
  }
  SUBCASE("dense blocks, as in RRDBNet") {
    restores =
        check_prediction(tiny_rrdbnet(64, 32, 1).write(folder / "net.safetensors"), 256, 192);
  }
  CHECK(restores);
}

// Minutes of arithmetic, so a test of its own. Small pictures: parameters weigh more in the sum than
// they do at 1024x1024, and the arenas are the planner's at any size.
TEST_CASE("full memory: of every network that restores pictures, within a tenth") {
  if (!require_data(shared_path("goldens"))) return;
  // One configuration of a network; not of SRCNN, which sees the enlarged picture.
  std::set<std::string> done = {"srcnn"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(shared_path("goldens"))) {
    const std::string manifest = entry.path().string();
    if (!manifest.ends_with(".keys.json")) continue;
    if (!done.insert(entry.path().parent_path().filename().string()).second) continue;
    CAPTURE(manifest);
    const TemporaryFolder folder;
    const std::string network = folder / "net.safetensors";
    in_another_process([&] {
      const Checkpoint checkpoint = fill_checkpoint(manifest);
      write_safetensors(network, checkpoint.tensors, checkpoint.metadata);
    });
    check_prediction(network, 64, 64);
  }
  CHECK(done.size() > 20);
}
