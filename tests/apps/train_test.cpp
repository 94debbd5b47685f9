// mend train, finetune and degrade as their users start them.
#include <doctest/doctest.h>
#include <signal.h>

#include <fstream>
#include <random>
#include <thread>

#include "models/registry.h"
#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"
#include "weights/embedded.h"
#include "weights/safetensors.h"

using namespace mend;
using namespace mend::test;

namespace fs = std::filesystem;

namespace {

/// Two pictures and a recipe of short steps.
struct Lesson {
  explicit Lesson(const std::string& changes = "", int steps = 60) {
    fs::create_directory(folder / "photos");
    write_image(folder / "photos/a.png", smooth_image(90, 70, 3));
    write_image(folder / "photos/b.png", smooth_image(64, 80, 3));
    std::ofstream(folder / "recipe.json") << R"({
      "task": "denoise",
      "network": {"name": "srvgg", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 16, "num_conv": 3,
                  "upscale": 1, "act_type": "prelu"},
      "batch": 4, "patch": 32, "margin": 0, "pictures": ["photos"],
      "degrade": [{"do": "gaussian_noise", "sigma": [5, 40]}],  // of 255
      "checkpoint_every": 7, "steps": )" << steps
                                          << changes << "}";
  }
  /// Kills it so often, at moments that `seed` draws of the time that a whole one took, and lets it end.
  void train_killed(int times, unsigned seed, double whole_seconds) const {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> moment(0.05, 0.5);
    for (int i = 0; i < times; ++i) {
      Surroundings around;
      const auto pause = std::chrono::duration<double>(whole_seconds * moment(random));
      around.meanwhile = [pause](pid_t process, const std::string&) {
        std::this_thread::sleep_for(pause);
        kill(process, SIGKILL);
      };
      train("killed", around);
    }
    REQUIRE(train("killed").code == 0);
  }
  Finished train(const std::string& to, const Surroundings& around = {}) const {
    return mend_run({"train", folder / "recipe.json", "-o", folder / to}, around);
  }
  std::string model(const std::string& of) const {
    return read_file(folder / (of + "/model.safetensors"));
  }
  TemporaryFolder folder;
};

}  // namespace

TEST_CASE("mend train: killed ten times at random moments it ends with the same bits") {
  const Lesson lesson;
  const Finished whole = lesson.train("whole");
  REQUIRE(whole.code == 0);
  lesson.train_killed(10, 1, whole.seconds);
  CHECK(lesson.model("killed") == lesson.model("whole"));
}

TEST_CASE("mend train: so does one against a discriminator, and so does the discriminator") {
  const Lesson lesson(R"(, "accumulate": 2, "loss": {"l1": 1, "gan": {"weight": 0.1,
      "discriminator": {"name": "unet", "num_feat": 2}}})",
                      20);
  const Finished whole = lesson.train("whole");
  REQUIRE_MESSAGE(whole.code == 0, whole.err);
  lesson.train_killed(3, 2, whole.seconds);
  for (const char* file : {"model.safetensors", "discriminator.safetensors", "state.safetensors"}) {
    CAPTURE(file);
    CHECK(read_file(lesson.folder / ("killed/" + std::string(file))) ==
          read_file(lesson.folder / ("whole/" + std::string(file))));
  }
}

TEST_CASE("mend train: weights of VGG19 that are not there, or none, are named") {
  const Lesson lesson(R"(, "loss": {"perceptual": {"vgg19": "vgg19.pth"}})");
  const Finished missing = lesson.train("run");
  CHECK(missing.code == 4);
  CHECK(missing.err.find("vgg19.pth") != std::string::npos);
  std::ofstream(lesson.folder / "vgg19.pth", std::ios::binary) << "no weights";
  CHECK(lesson.train("run").code == 4);
  tiny_srvgg(1, 16, 3).write(lesson.folder / "vgg19.pth");
  const Finished other = lesson.train("run");
  CHECK(other.code == 4);
  CHECK(other.err.find("does not fit torchvision's VGG19") != std::string::npos);
}

TEST_CASE("mend train: a signal keeps the steps that are done, and ends with 75") {
  const Lesson lesson;
  Surroundings around;
  around.meanwhile = [&](pid_t process, const std::string&) {
    for (int i = 0; i < 1000 && !fs::exists(lesson.folder / "run/model.safetensors"); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    kill(process, SIGINT);
  };
  const Finished stopped = lesson.train("run", around);
  CHECK((stopped.code == 75 || stopped.code == 0));  // 0: it was done before the signal came
  const Finished rest = lesson.train("run");
  CHECK(rest.code == 0);
  CHECK(lesson.train("whole").code == 0);
  CHECK(lesson.model("run") == lesson.model("whole"));
}

TEST_CASE("mend train: bad recipes and pictures are named") {
  const Lesson lesson;
  std::ofstream(lesson.folder / "photos/broken.jpg") << "no picture";
  const Finished run = lesson.train("run");
  CHECK(run.code == 0);
  CHECK(run.err.find("broken.jpg") != std::string::npos);
  CHECK(mend_run({"train", lesson.folder / "nowhere.json"}).code == 2);
  std::ofstream(lesson.folder / "recipe.json") << R"({"network": {"name": "srgvv"}})";
  const Finished unknown = lesson.train("other");
  CHECK(unknown.code == 2);
  CHECK(unknown.err.find("'srgvv' is no network") != std::string::npos);
}

TEST_CASE("mend finetune: writes a checkpoint of the same network with other numbers") {
  const Lesson lesson;
  const std::string network = tiny_srvgg(1, 16, 3).write(lesson.folder / "net.safetensors");
  const std::string mine = lesson.folder / "mine.safetensors";
  const Finished run =
      mend_run({"finetune", network, "--images", lesson.folder / "photos", "-o", mine, "--task",
                "dejpeg", "--minutes", "0.02", "--batch", "2", "--patch", "24"});
  REQUIRE_MESSAGE(run.code == 0, run.err);
  const Checkpoint before = read_checkpoint(network), after = read_checkpoint(mine);
  REQUIRE(before.tensors.size() == after.tensors.size());
  CHECK(before.tensors.at("body.0.weight").to_f32() != after.tensors.at("body.0.weight").to_f32());
  CHECK(load_model(after).hyperparameters == load_model(before).hyperparameters);
  const auto refused = [&](const std::vector<std::string>& more) {
    std::vector<std::string> line = {"finetune", network,   "--images", lesson.folder / "photos",
                                     "-o",       mine + "2"};
    line.insert(line.end(), more.begin(), more.end());
    const Finished end = mend_run(line);
    CHECK(end.code == 2);
    return end.err;
  };
  CHECK(refused({"--task", "colorize"}).find("--degrade") != std::string::npos);
  CHECK(refused({"--task", "dejpeg", "--mask", "[]"}).find("fills no holes") != std::string::npos);
}

TEST_CASE("mend finetune: takes the program's own weights by name, and says so of others") {
  const Lesson lesson;
  const std::string mine = lesson.folder / "mine.safetensors";
  const auto run = [&](const std::string& name) {
    return mend_run({"finetune", name, "--images", lesson.folder / "photos", "-o", mine,
                     "--minutes", "0.01", "--batch", "1", "--patch", "16"});
  };
  const Finished done = run("mend:denoise");
  REQUIRE_MESSAGE(done.code == 0, done.err);
  const Checkpoint own = read_embedded(*find_embedded("denoise"));
  const Checkpoint after = read_checkpoint(mine);
  CHECK(own.tensors.size() == after.tensors.size());
  CHECK(load_model(after).traits.tasks == load_model(own).traits.tasks);
  CHECK(run("mend:nothing").code == 4);
}

TEST_CASE("mend finetune: a network that fills holes learns from drawn ones") {
  const Lesson lesson;
  const std::string network = lesson.folder / "net.safetensors";
  const Golden lama = load_golden(data_path("goldens/lama/ngf2_oddw_generator_keys.safetensors"));
  write_safetensors(network, lama.weights.tensors, {});
  const std::string mine = lesson.folder / "mine.safetensors";
  const Finished run = mend_run({"finetune", network, "--images", lesson.folder / "photos", "-o",
                                 mine, "--minutes", "0.02", "--batch", "2", "--patch", "32",
                                 "--mask", R"([{"do": "holes", "share": 0.2, "size": [1, 4]}])"});
  REQUIRE_MESSAGE(run.code == 0, run.err);
  CHECK(read_checkpoint(mine).metadata.at("recipe").find("holes") != std::string::npos);
  CHECK(load_model(read_checkpoint(mine)).traits.condition == Condition::kMask);
}

TEST_CASE("mend degrade: the same line makes the same pictures, and names what it cannot read") {
  const Lesson lesson;
  const std::string steps =
      R"([{"do": "gaussian_noise", "sigma": 20}, {"do": "jpeg", "quality": 40}])";
  const auto degrade = [&](const std::string& to) {
    return mend_run(
        {"degrade", lesson.folder / "photos/a.png", "-o", lesson.folder / to, "--steps", steps});
  };
  REQUIRE(degrade("one.png").code == 0);
  REQUIRE(degrade("two.png").code == 0);
  CHECK(read_file(lesson.folder / "one.png") == read_file(lesson.folder / "two.png"));
  CHECK(read_image(lesson.folder / "one.png").bytes !=
        read_image(lesson.folder / "photos/a.png").bytes);
  CHECK(mend_run({"degrade", "--list"}).out.find("poisson_noise") != std::string::npos);
  CHECK(mend_run({"degrade", lesson.folder / "photos/a.png", "-o", lesson.folder / "x.png",
                  "--steps", R"([{"do": "nothing"}])"})
            .code == 2);
}
