// Every exit code of the program, and the one line on stderr that explains it.
#include <doctest/doctest.h>

#include <limits>

#include "engine/gpu.h"
#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"

using namespace mend;
using namespace mend::test;

namespace {

/// A folder with a picture and a checkpoint, enough to run.
struct Workplace {
  Workplace() {
    write_image(picture, smooth_image(40, 30, 3));
    tiny_srvgg().write(network);
  }
  /// mend upscale photo.png -w net.safetensors -o out.png ...
  Finished upscale(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"upscale", picture, "-w",
                                          network,   "-o",    folder / "out.png"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return mend_run(arguments);
  }

  TemporaryFolder folder;
  std::string picture = folder / "photo.png";
  std::string network = folder / "net.safetensors";
};

/// Checks code and that the only line on stderr is an error with these parts.
void check_failure(const Finished& run, int code, const std::vector<std::string>& parts) {
  CAPTURE(run.err);
  CHECK(run.code == code);
  CHECK(run.errors().size() == 1);
  CHECK(run.lines_on_stderr() == 1);
  CHECK(run.err.size() < 1000);
  for (const std::string& part : parts) {
    CAPTURE(part);
    CHECK(run.err.find(part) != std::string::npos);
  }
}

const char* const kCommands[] = {"upscale", "denoise", "dejpeg",  "lowlight", "dehaze",
                                 "run",     "models",  "inspect", "explain",  "convert",
                                 "pull",    "compare", "bench",   "doctor",   "face"};

}  // namespace

TEST_CASE("mend: --version answers within 20 ms") {
  double fastest = 1;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const Finished run = mend_run({"--version"});
    CHECK(run.code == 0);
    CHECK(run.out.starts_with("mend "));
    fastest = std::min(fastest, run.seconds);
  }
  CHECK(fastest < 0.020);
}

TEST_CASE("mend: --help of every command shows examples that start with the command") {
  const Finished all = mend_run({"--help"});
  CHECK(all.code == 0);
  for (const std::string command : kCommands) {
    CAPTURE(command);
    CHECK(all.out.find("\n  " + command) != std::string::npos);
    const Finished help = mend_run({command, "--help"});
    CHECK(help.code == 0);
    CHECK(help.out.find("Examples:\n  mend " + command) != std::string::npos);
    CHECK(help.err.empty());
  }
}

TEST_CASE("mend: a picture that was restored ends with 0") {
  const Workplace here;
  const Finished run = here.upscale();
  CAPTURE(run.err);
  CHECK(run.code == 0);
  CHECK(run.errors().empty());
  CHECK(read_image(here.folder / "out.png").width == 80);
  CHECK(here.upscale({"-q"}).err.empty());
}

TEST_CASE("mend: some inputs that failed end with 1 and are named") {
  const Workplace here;
  write_file(here.folder / "bad.png", "no picture");
  const Finished run = mend_run({"upscale", here.folder / "bad.png", here.picture, "-w",
                                 here.network, "-o", here.folder / "results"});
  CHECK(run.code == 1);
  REQUIRE(run.errors().size() == 1);
  CHECK(run.errors()[0].find(here.folder / "bad.png") != std::string::npos);
  CHECK(files_in(here.folder / "results") == "photo.png");
}

TEST_CASE("mend: a command line that makes no sense ends with 2") {
  const Workplace here;
  check_failure(mend_run({}), 2, {"subcommand is required", "--help"});
  check_failure(mend_run({"enlarge"}), 2, {"enlarge"});
  check_failure(here.upscale({"--sharpen"}), 2, {"--sharpen"});
  check_failure(mend_run({"derain", here.picture, "-o", "x.png"}), 2, {"-w FILE"});
  check_failure(here.upscale({"--threads", "-3"}), 2, {"--threads"});
  check_failure(here.upscale({"--tile", "wide"}), 2, {"--tile wide", "256"});
  check_failure(here.upscale({"--tile", "0"}), 2, {"--tile 0"});
  check_failure(here.upscale({"--memory", "much"}), 2, {"'much'", "1.5G"});
  check_failure(here.upscale({"--device", "abacus"}), 2, {"abacus", "cpu"});
  check_failure(here.upscale({"--precision", "f8"}), 2, {"f8", "f32"});
  check_failure(here.upscale({"--cuda-graph", "maybe"}), 2, {"--cuda-graph", "maybe"});
  check_failure(here.upscale({"--precision", "f16", "--eager"}), 2, {"f16", "--eager"});
  check_failure(here.upscale({"--scale", "3"}), 2, {"--scale 3", "enlarges by 2"});
  check_failure(here.upscale({"--sigma", "10"}), 2, {"--sigma", "SRVGGNetCompact"});
  check_failure(here.upscale({"--config", "{"}), 2, {"--config", "JSON"});
  check_failure(here.upscale({"--config", "{\"wings\": 2}"}), 2, {"wings", "num_feat"});
  check_failure(mend_run({"denoise", here.picture, "-w", here.network, "-o", "x.png"}), 2,
                {"upscale", "mend run"});
  check_failure(mend_run({"run", here.network}), 2, {"INPUT"});
  check_failure(mend_run({"explain", here.network, "--size", "12"}), 2, {"--size 12", "1920x1080"});
}

TEST_CASE("mend: a forced kernel that does not exist or cannot do the case ends with 2") {
  const Workplace here;
  check_failure(here.upscale({"--kernel", "conv2d"}), 2, {"op=variant"});
  check_failure(here.upscale({"--kernel", "conv2d=magic"}), 2, {"magic", "direct"});
  check_failure(here.upscale({"--kernel", "magic=direct"}), 2, {"magic", "conv2d"});
  check_failure(here.upscale({"--kernel", "conv2d=depthwise"}), 2,
                {"conv2d/depthwise was forced but"});
  CHECK(here.upscale({"--kernel", "conv2d=reference", "--kernel", "resample=reference"}).code == 0);
}

TEST_CASE("mend: a picture that cannot be used ends with 3") {
  const Workplace here;
  write_file(here.picture, "no picture");
  check_failure(here.upscale(), 3, {here.picture, "not an image"});
  std::filesystem::remove(here.picture);
  check_failure(here.upscale(), 3, {here.picture, "No such file"});
  check_failure(mend_run({"compare", here.picture, here.picture}), 3, {here.picture});
  check_failure(mend_run({"upscale", here.folder / "*.jpg", "-w", here.network, "-o", "x.png"}), 3,
                {"*.jpg", "no file"});
}

TEST_CASE("mend: a checkpoint that cannot be used ends with 4") {
  const Workplace here;
  TinyNetwork nan = tiny_srvgg();
  nan.set("body.2.weight", 17, std::numeric_limits<float>::quiet_NaN()).write(here.network);
  check_failure(here.upscale(), 4, {here.network, "body.2.weight", "nan"});
  TinyNetwork missing = tiny_srvgg();
  missing.tensors.erase("body.2.bias");
  missing.write(here.network);
  check_failure(here.upscale(), 4, {here.network, "body.2.bias"});
  TinyNetwork unknown;
  for (int i = 0; i < 300; ++i) unknown.conv("backbone.stage" + std::to_string(i), 1, 1);
  unknown.write(here.network);
  check_failure(here.upscale(), 4,
                {here.network, "600 keys", "backbone.stage0.bias", "mend models"});
  write_file(here.network, "PK no checkpoint");
  check_failure(mend_run({"inspect", here.network}), 4, {here.network});
  check_failure(mend_run({"inspect", here.folder / "none.pth"}), 4, {"none.pth", "mend models"});
  check_failure(mend_run({"inspect", here.folder.path()}), 4, {here.folder.path()});
}

TEST_CASE("mend: a device that this build or machine does not have ends with 5") {
  const GpuSurvey& survey = survey_gpus();
  const std::string why =
      survey.gpus.empty() ? survey.why_none : "networks do not run on a GPU yet";
  check_failure(Workplace().upscale({"--device", "cuda:0"}), 5, {"cuda:0", why, "--device cpu"});
  check_failure(Workplace().upscale({"--device", "cuda"}), 5, {"cuda", why, "--device cpu"});
  check_failure(Workplace().upscale({"--device", "cuda:all"}), 5,
                {"cuda:all", why, "--device cpu"});
  check_failure(Workplace().upscale({"--device", "cuda:0,cuda:1"}), 5, {"cuda:1", why});
  for (const char* device : {"cuda:one", "cuda:0,", "cuda:0,1", "cuda:0,cpu", "cuda0", "cuda:-"}) {
    check_failure(Workplace().upscale({"--device", device}), 2, {device, "cuda:0"});
  }
  if (!survey.gpus.empty()) return;
  const Workplace here;
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"finetune", here.network, "--images", here.picture},
        {"adapt", here.picture, "--task", "denoise"},
        {"train", here.folder / "recipe.json"}}) {
    std::vector<std::string> on_gpu = line;
    on_gpu.insert(on_gpu.end(), {"-o", here.folder / "out", "--device", "cuda"});
    check_failure(mend_run(on_gpu), 5, {"cuda", why, "--device cpu"});
  }
}

TEST_CASE("mend: a network that does not fit into --memory ends with 6") {
  const Workplace here;
  write_image(here.picture, smooth_image(400, 300, 3));
  check_failure(here.upscale({"--memory", "20k"}), 6, {here.picture, "MB", "--memory", "raise"});
  CHECK(files_in(here.folder.path()) == "net.safetensors photo.png");
}

TEST_CASE("mend: an output that cannot be written ends with 7") {
  const Workplace here;
  const auto to = [&](const std::string& output) {
    return mend_run({"upscale", here.picture, "-w", here.network, "-o", output});
  };
  check_failure(to(here.folder / "none/out.png"), 7, {"none/out.png", "create"});
  check_failure(to(here.picture + "/sub/"), 7, {here.picture + "/sub/"});
  Surroundings full;
  full.standard_output = "/dev/full";
  check_failure(mend_run({"models"}, full), 7, {"standard output"});
  check_failure(mend_run({"upscale", here.picture, "-w", here.network, "-o", "-"}, full), 7,
                {"standard output", "No space left"});
}

TEST_CASE("mend: NaN or infinity in a network's output ends with 8 and names the layer") {
  const Workplace here;
  TinyNetwork loud = tiny_srvgg();
  for (const char* key : {"body.2.weight", "body.4.weight"}) {
    for (std::size_t i = 0; i < 8 * 8 * 9; ++i) loud.set(key, i, 1e30f);
  }
  loud.write(here.network);
  for (const bool eager : {false, true}) {
    CAPTURE(eager);
    check_failure(
        here.upscale(eager ? std::vector<std::string>{"--eager"} : std::vector<std::string>{}), 8,
        {here.picture, "NaN or infinity", "conv2d (body.4)", "Nothing was written"});
  }
  CHECK(files_in(here.folder.path()) == "net.safetensors photo.png");
}
