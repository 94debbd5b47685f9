// Writing that fails half-way: nothing half-written may stay.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "engine/atomic_file.h"
#include "engine/error.h"
#include "restore/image_file.h"
#include "tests/restore/make_images.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

int files_in(const std::string& folder) {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

/// Runs `work` in a child process, which ends with its result, and waits for it.
template <class Work>
int status_of_child(Work work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("write_image: a full disk is reported by name and space") {
  const TemporaryFolder folder;
  const Image image = pattern_image(200, 200, 3, 8);
  for (const char* name : {"a.png", "a.jpg", "a.bmp", "a.ppm", "a.pam"}) {
    CAPTURE(name);
    const std::string path = folder / name;
    std::filesystem::create_symlink("/dev/full", path);
    CHECK_THROWS_WITH_AS(write_image(path, image), doctest::Contains("is full"), WriteError);
    CHECK(std::filesystem::is_character_file(path));
  }
}

TEST_CASE("write_image: a limit of file sizes leaves the old file and no part of the new one") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.ppm";
  write_file(path, "old");
  const int status = status_of_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{300'000, 300'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_image(path, pattern_image(800, 800, 3, 8));
    } catch (const WriteError& error) {
      return std::string(error.what()).find("limit of file sizes") != std::string::npos ? 0 : 1;
    }
    return 2;
  });
  CHECK(status == 0);
  CHECK(read_file(path) == "old");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("write_image: a folder, a missing folder or a name without format is refused") {
  const TemporaryFolder folder;
  const Image image = pattern_image(4, 4, 3, 8);
  std::filesystem::create_directory(folder / "a.png");
  CHECK_THROWS_WITH_AS(write_image(folder / "a.png", image), doctest::Contains("is a folder"),
                       WriteError);
  CHECK_THROWS_WITH_AS(write_image(folder / "none/a.png", image), doctest::Contains("no folder"),
                       WriteError);
  CHECK_THROWS_AS(write_image(folder / "a", image), UsageError);
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("write_image: an encoder that refuses leaves no file") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(write_image(folder / "a.jpg", pattern_image(70'000, 1, 1, 8)), UsageError);
  CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("atomic file: it appears whole, keeps its mode and follows a link") {
  const TemporaryFolder folder;
  write_file(folder / "target.png", "old");
  chmod((folder / "target.png").c_str(), 0640);
  std::filesystem::create_symlink("target.png", folder / "link.png");
  const Image image = pattern_image(30, 30, 3, 8);
  write_image(folder / "link.png", image);
  CHECK(std::filesystem::is_symlink(folder / "link.png"));
  CHECK(read_image(folder / "target.png").bytes == image.bytes);
  struct stat status {};
  stat((folder / "target.png").c_str(), &status);
  CHECK((status.st_mode & 0777) == 0640);
  CHECK(files_in(folder.path()) == 2);
}

TEST_CASE("atomic file: without a commit, or after remove_part_files, nothing stays") {
  const TemporaryFolder folder;
  const std::array<std::uint8_t, 3> bytes{1, 2, 3};
  {
    AtomicFile file(folder / "a.png");
    file.write(bytes);
    CHECK(files_in(folder.path()) == 1);
  }
  CHECK(files_in(folder.path()) == 0);
  AtomicFile first(folder / "a.png"), second(folder / "b.png");
  CHECK(files_in(folder.path()) == 2);
  remove_part_files();
  CHECK(files_in(folder.path()) == 0);
  CHECK_THROWS_AS(first.commit(), WriteError);
}

TEST_CASE("atomic file: a signal that ends the program removes the part files") {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(number);
    const TemporaryFolder folder;
    const int status = status_of_child([&] {
      remove_part_files_on_signals();
      AtomicFile file(folder / "a.png");
      const std::vector<std::uint8_t> bytes(1 << 20);
      file.write(bytes);
      if (files_in(folder.path()) != 1) return 1;
      raise(number);
      return 2;
    });
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == number);
    CHECK(files_in(folder.path()) == 0);
  }
}
