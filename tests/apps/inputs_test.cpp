// Which files are read, and where their results go.
#include <doctest/doctest.h>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"

using namespace mend;
using namespace mend::test;

namespace fs = std::filesystem;

namespace {

/// A folder with pictures in in/ and a checkpoint that enlarges by two.
struct Workplace {
  Workplace() {
    fs::create_directory(folder / "in");
    for (const char* name : {"a.png", "b.jpg", "c.ppm"}) picture(name);
    write_file(folder / "in/notes.txt", "no picture");
  }
  void picture(const std::string& name) const {
    write_image(folder / ("in/" + name), smooth_image(20, 16, 3));
  }
  /// mend upscale INPUTS... -w ... -o OUTPUT, in the folder.
  Finished upscale(std::vector<std::string> inputs, const std::string& output,
                   Surroundings around = {}) const {
    inputs.insert(inputs.begin(), "upscale");
    inputs.insert(inputs.end(), {"-w", network, "-o", output});
    around.folder = folder.path();
    return mend_run(inputs, around);
  }
  std::string out_files() const { return files_in(folder / "out"); }

  TemporaryFolder folder;
  std::string network = tiny_srvgg().write(folder / "net.safetensors");
};

void check_refused(const Finished& run, int code, const std::string& part) {
  CAPTURE(run.err);
  CHECK(run.code == code);
  CHECK(run.lines_on_stderr() == 1);
  CHECK(run.errors().size() == 1);
  CHECK(run.err.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("mend: several files, folders and patterns go to a folder that is created") {
  const Workplace here;
  CHECK(here.upscale({"in/a.png", "in/b.jpg"}, "out").code == 0);
  CHECK(here.out_files() == "a.png b.jpg");
  fs::remove_all(here.folder / "out");
  CHECK(here.upscale({"in"}, "out").code == 0);
  CHECK(here.out_files() == "a.png b.jpg c.ppm");
  fs::remove_all(here.folder / "out");
  CHECK(here.upscale({"in/*.p*"}, "out/deep/").code == 0);
  CHECK(files_in(here.folder / "out/deep") == "a.png c.ppm");
  fs::remove_all(here.folder / "out");
  CHECK(here.upscale({"in/[ab].*", "in/c.ppm"}, "out").code == 0);
  CHECK(here.out_files() == "a.png b.jpg c.ppm");
  CHECK(read_image(here.folder / "out/b.jpg").width == 40);
}

TEST_CASE("mend: one file goes to a file, to a folder that exists, or to one that ends with /") {
  const Workplace here;
  CHECK(here.upscale({"in/a.png"}, "large.jpg").code == 0);
  CHECK(read_image(here.folder / "large.jpg").format == ImageFormat::kJpeg);
  CHECK(here.upscale({"in/a.png"}, "new/").code == 0);
  CHECK(here.upscale({"in/b.jpg"}, "new").code == 0);
  CHECK(files_in(here.folder / "new") == "a.png b.jpg");
}

TEST_CASE("mend: names that end in no format that can be written become .png") {
  const Workplace here;
  for (const char* name : {"scan", "photo.jfif", "odd name \xC3\xA4.dat"}) {
    fs::copy(here.folder / "in/b.jpg", here.folder / name);
  }
  CHECK(here.upscale({"scan", "photo.jfif", "odd name \xC3\xA4.dat"}, "out").code == 0);
  CHECK(here.out_files() == "odd name \xC3\xA4.png photo.png scan.png");
}

TEST_CASE("mend: a file whose name looks like a pattern is the file") {
  const Workplace here;
  here.picture("a[1].png");
  here.picture("*.png");
  CHECK(here.upscale({"in/a[1].png", "in/*.png"}, "out").code == 0);
  CHECK(here.out_files() == "*.png a[1].png");
}

TEST_CASE("mend: - reads standard input and writes PNG to standard output") {
  const Workplace here;
  CHECK(here.upscale({"in/a.png"}, "expected.png").code == 0);
  const std::string expected = read_file(here.folder / "expected.png");
  Surroundings piped;
  piped.standard_input = here.folder / "in/a.png";
  CHECK(here.upscale({"-"}, "out.png", piped).code == 0);
  CHECK(read_file(here.folder / "out.png") == expected);
  const Finished both = here.upscale({"-"}, "-", piped);
  CHECK(both.code == 0);
  CHECK(both.out == expected);
  CHECK(here.upscale({"-", "in/b.jpg"}, "out", piped).code == 0);
  CHECK(here.out_files() == "b.jpg stdin.png");
  check_refused(here.upscale({"-"}, "none.png"), 3, "standard input: the file is empty");
  check_refused(here.upscale({"in"}, "-"), 2, "-o - takes one picture");
}

TEST_CASE("mend: a picture can come and go through pipes of other programs") {
  const Workplace here;
  const std::string command = "cat '" + here.folder.path() +
                              "/in/a.png' | '" MEND_BINARY "' upscale - -q -w '" + here.network +
                              "' -o - | cat > '" + here.folder.path() + "/piped.png'";
  CHECK(std::system(command.c_str()) == 0);
  CHECK(read_image(here.folder / "piped.png").width == 40);
}

TEST_CASE("mend: an output that would replace its own input is refused") {
  const Workplace here;
  const std::string before = read_file(here.folder / "in/a.png");
  check_refused(here.upscale({"in/a.png"}, "in/a.png"), 2, "own input");
  check_refused(here.upscale({"in/a.png"}, "in/../in/a.png"), 2, "own input");
  check_refused(here.upscale({"in/a.png", "in/b.jpg"}, "in"), 2, "own input");
  check_refused(here.upscale({"in"}, "in/"), 2, "own input");
  fs::create_symlink("in/a.png", here.folder / "link.png");
  check_refused(here.upscale({"in/a.png"}, "link.png"), 2, "own input");
  check_refused(here.upscale({"link.png"}, "in/a.png"), 2, "own input");
  CHECK(read_file(here.folder / "in/a.png") == before);
  CHECK(files_in(here.folder / "in") == "a.png b.jpg c.ppm notes.txt");
}

TEST_CASE("mend: two results of one name are refused before anything is done") {
  const Workplace here;
  fs::create_directory(here.folder / "more");
  fs::copy(here.folder / "in/a.png", here.folder / "more/a.png");
  check_refused(here.upscale({"in/b.jpg", "in/a.png", "more/a.png"}, "out"), 2, "more/a.png");
  CHECK(!fs::exists(here.folder / "out"));
  fs::copy(here.folder / "in/b.jpg", here.folder / "a.jfif");
  check_refused(here.upscale({"in/a.png", "a.jfif"}, "out"), 2, "a.jfif");
}

TEST_CASE("mend: outputs that fit no input are refused") {
  const Workplace here;
  write_file(here.folder / "file.png", "old");
  check_refused(here.upscale({"in/a.png", "in/b.jpg"}, "file.png"), 2, "need a folder");
  check_refused(here.upscale({"in"}, "file.png"), 2, "need");
  CHECK(read_file(here.folder / "file.png") == "old");
  check_refused(here.upscale({"in/a.png"}, "out.gif"), 2, "\".gif\" names no image format");
  check_refused(here.upscale({"in/a.png"}, "out"), 2, "names no image format");
  check_refused(here.upscale({"in/a.png"}, ""), 2, "-o");
  fs::create_directory(here.folder / "empty");
  check_refused(here.upscale({"empty"}, "out"), 3, "no picture in this folder");
}

TEST_CASE("mend: a name with control characters still makes one line of error") {
  const Workplace here;
  write_file(here.folder / "two\nlines\x1B[2J.png", "no picture");
  const Finished run = here.upscale({"two\nlines\x1B[2J.png"}, "out.png");
  check_refused(run, 3, "two?lines?[2J.png");
}
