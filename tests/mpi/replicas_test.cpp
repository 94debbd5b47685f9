// mpirun -np N mend train, as its users start it.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <fstream>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/restore/make_images.h"
#include "weights/checkpoint.h"

using namespace mend;
using namespace mend::test;

namespace fs = std::filesystem;

namespace {

std::string mpirun() {
#ifdef MEND_MPIRUN
  if (fs::exists(MEND_MPIRUN)) return MEND_MPIRUN;
#endif
  return {};
}

bool have_mpi() {
  if (!mpirun().empty()) return true;
  std::printf("skipped: this build has no MPI, or mpirun is missing\n");
  return false;
}

/// Two pictures, and recipes that differ in their folder alone.
struct Lesson {
  Lesson() {
    fs::create_directory(folder / "photos");
    write_image(folder / "photos/a.png", smooth_image(90, 70, 3));
    write_image(folder / "photos/b.png", smooth_image(64, 80, 3));
    write("recipe.json", "");
  }
  void write(const std::string& name, const std::string& entries) const {
    std::ofstream(folder / name) << R"({
      "task": "denoise",
      "network": {"name": "srvgg", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 16, "num_conv": 3,
                  "upscale": 1, "act_type": "prelu"},
      "steps": 200, "batch": 16, "patch": 16, "margin": 0, "pictures": ["photos"], "loss": "mse",
      "degrade": [{"do": "gaussian_noise", "sigma": [5, 40]}],
      "validate": {"pictures": ["photos"], "every": 100, "count": 2, "side": 32},
      "checkpoint_every": 50)" << entries
                                 << "}";
  }
  std::vector<std::string> command(const std::string& recipe, const std::string& to) const {
    return {"train", folder / recipe, "-o", folder / to, "--threads", "1"};
  }
  Finished alone(const std::string& to) const { return mend_run(command("recipe.json", to)); }
  Finished on_two(const std::string& to, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = command("recipe.json", to);
    arguments.insert(arguments.end(), more.begin(), more.end());
    Surroundings around;
    around.launcher = {mpirun(), "--allow-run-as-root", "--oversubscribe", "-np", "2"};
    return mend_run(arguments, around);
  }
  std::string file(const std::string& name) const { return read_file(folder / name); }

  TemporaryFolder folder;
};

/// The second number of each row.
std::vector<double> second_numbers(const std::string& csv) {
  std::vector<double> values;
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    values.push_back(std::strtod(line.c_str() + line.find(',') + 1, nullptr));
  }
  return values;
}

}  // namespace

TEST_CASE("mpirun: two processes of 8 learn what one of 16 does, but for rounding") {
  if (!have_mpi()) return;
  const Lesson lesson;
  const Finished one = lesson.alone("one"), two = lesson.on_two("two");
  REQUIRE_MESSAGE(one.code == 0, one.err);
  REQUIRE_MESSAGE(two.code == 0, two.err);
  // The means of steps 1 to 100 and 101 to 200. Steps grow apart as they do from any rounding, and by leaps
  // where it changes a sign of L1's gradient; hence the squares in the recipe.
  const auto compare = [&](const std::string& log, const std::vector<double>& within) {
    const std::vector<double> of_one = second_numbers(lesson.file("one/" + log));
    const std::vector<double> of_two = second_numbers(lesson.file("two/" + log));
    REQUIRE(of_one.size() == within.size());
    REQUIRE(of_two.size() == within.size());
    for (std::size_t i = 0; i < within.size(); ++i) {
      CHECK(std::abs(of_two[i] - of_one[i]) <= within[i] * of_one[i]);
    }
  };
  compare("log.csv", {1e-4, 1e-3});
  compare("validation.csv", {1e-4, 1e-3});
  for (const char* once : {"step 100: PSNR", "step 200: PSNR", "200 of 200 steps"}) {
    CAPTURE(once);  // rank 0 alone speaks
    REQUIRE(two.err.find(once) != std::string::npos);
    CHECK(two.err.find(once) == two.err.rfind(once));
  }
  CHECK(two.err.find("2 processes of 1 threads") != std::string::npos);
  CHECK(files_in(lesson.folder / "two") == files_in(lesson.folder / "one"));
}

TEST_CASE("mpirun: stopped and resumed on two processes, it ends with the same bits") {
  if (!have_mpi()) return;
  const Lesson lesson;
  REQUIRE(lesson.on_two("whole").code == 0);
  REQUIRE(lesson.on_two("parts", {"--minutes", "0.00001"}).code == 0);
  const Finished rest = lesson.on_two("parts");
  REQUIRE_MESSAGE(rest.code == 0, rest.err);
  CHECK(rest.err.find("step 1 of 200") != std::string::npos);
  CHECK(lesson.file("whole/state.safetensors") == lesson.file("parts/state.safetensors"));
}

TEST_CASE("mpirun: an error on one rank is told once, and ends all") {
  if (!have_mpi()) return;
  const Lesson lesson;
  lesson.write("other.json", R"(, "average": 0.9)");
  const auto run = [&](const std::string& first, const std::string& second) {
    std::vector<std::string> arguments = lesson.command(first, "run");
    arguments.insert(arguments.end(), {":", "-np", "1", MEND_BINARY});
    for (const std::string& word : lesson.command(second, "run")) arguments.push_back(word);
    Surroundings around;
    around.launcher = {mpirun(), "--allow-run-as-root", "--oversubscribe", "-np", "1"};
    return mend_run(arguments, around);
  };
  const Finished missing = run("recipe.json", "nowhere.json");
  CHECK(missing.code == 2);
  REQUIRE(missing.errors().size() == 1);
  CHECK(missing.errors()[0].find("rank 1: ") != std::string::npos);
  CHECK(missing.errors()[0].find("nowhere.json") != std::string::npos);
  const Finished differs = run("recipe.json", "other.json");
  CHECK(differs.code == 2);
  REQUIRE(differs.errors().size() == 1);
  CHECK(differs.errors()[0].find("differ from those of rank 0") != std::string::npos);
}

TEST_CASE("mpirun: a batch without equal shares is refused") {
  if (!have_mpi()) return;
  const Lesson lesson;
  lesson.write("recipe.json", R"(, "batch": 15)");
  const Finished run = lesson.on_two("run");
  CHECK(run.code == 2);
  REQUIRE(run.errors().size() == 1);
  CHECK(run.errors()[0].find("a batch of 15 has no equal shares for 2 processes") !=
        std::string::npos);
}
