// mend face, from the command line to the picture.
#include <doctest/doctest.h>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_faces.h"
#include "tests/restore/make_images.h"
#include "weights/checkpoint.h"

using namespace mend;
using namespace mend::test;

namespace {

/// A photo, an aligned face, and the three kinds of networks.
struct Workplace {
  Workplace() {
    write_image(photo, smooth_image(90, 70, 3));
    write_image(square, smooth_image(40, 40, 3));
    tiny_gfpgan().write(gfpgan);
    tiny_codeformer().write(codeformer, kTinyCodeFormer);
  }
  Finished face(const std::string& picture, const std::string& network,
                const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"face", picture, "-w", network, "-o", result};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return mend_run(arguments);
  }
  /// RetinaFace of 4 channels, random, that finds what `bias` of its face logits says.
  std::string detector(float bias) const {
    TinyNetwork net;
    const Checkpoint filled = fill_checkpoint(data_path("goldens/retinaface/tiny.keys.json"));
    net.tensors = filled.tensors;
    for (const int i : {0, 1, 2}) {
      const std::string key = "ClassHead." + std::to_string(i) + ".conv1x1.bias";
      for (const std::size_t anchor : {0, 1}) net.set(key, 2 * anchor + 1, bias);
    }
    return net.write(folder / "retinaface.safetensors");
  }

  TemporaryFolder folder;
  std::string photo = folder / "photo.png", square = folder / "square.png";
  std::string gfpgan = folder / "gfpgan.safetensors";
  std::string codeformer = folder / "codeformer.safetensors";
  std::string result = folder / "out.png";
};

const char* const kLandmarks = "--landmarks=37,32,49,32,43,39,38,45,48,45";

void check_refused(const Finished& run, const std::vector<std::string>& parts) {
  CAPTURE(run.err);
  CHECK(run.code == 2);
  CHECK(run.errors().size() == 1);
  for (const std::string& part : parts) {
    CAPTURE(part);
    CHECK(run.err.find(part) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("mend face: an aligned face becomes one of the network's size") {
  const Workplace here;
  for (const std::string& network : {here.gfpgan, here.codeformer}) {
    const Finished run = here.face(here.square, network);
    CAPTURE(run.err);
    REQUIRE(run.code == 0);
    const Image planned = read_image(here.result);
    CHECK(planned.width == kTinyFace);
    CHECK(planned.height == kTinyFace);
    REQUIRE(here.face(here.square, network, {"--aligned", "--eager"}).code == 0);
    const Image eager = read_image(here.result);
    int worst = 0;
    for (std::size_t i = 0; i < eager.bytes.size(); ++i) {
      worst = std::max(worst, std::abs(int{eager.bytes[i]} - int{planned.bytes[i]}));
    }
    CHECK(worst <= 1);
  }
}

TEST_CASE("mend face: with landmarks the photo changes at the face and nowhere else") {
  const Workplace here;
  const Finished run = here.face(here.photo, here.gfpgan, {kLandmarks});
  CAPTURE(run.err);
  REQUIRE(run.code == 0);
  const Image before = read_image(here.photo), after = read_image(here.result);
  REQUIRE(after.width == before.width);
  int changed = 0;
  for (int y = 0; y < before.height; ++y)
    for (int x = 0; x < before.width; ++x) {
      if (std::equal(after.row(y) + 3 * x, after.row(y) + 3 * x + 3, before.row(y) + 3 * x)) {
        continue;
      }
      ++changed;
      // The eyes are 12 pixels apart, 126 in the template: the face is 49 pixels wide.
      CHECK(std::abs(x - 43) < 28);
      CHECK(std::abs(y - 35) < 28);
    }
  CHECK(changed > 1000);
  const Finished large = here.face(here.photo, here.gfpgan, {kLandmarks, "--upscale", "2"});
  CHECK(large.code == 0);
  CHECK(read_image(here.result).width == 2 * before.width);
}

TEST_CASE("mend face: the detector's faces are restored; without any the picture stays") {
  const Workplace here;
  const Finished some = here.face(here.photo, here.codeformer, {"--detector", here.detector(9)});
  CAPTURE(some.err);
  REQUIRE(some.code == 0);
  CHECK(read_image(here.result).bytes != read_image(here.photo).bytes);
  const Finished none = here.face(here.photo, here.codeformer, {"--detector", here.detector(-99)});
  REQUIRE(none.code == 0);
  CHECK(none.err.find("no face was found") != std::string::npos);
  CHECK(read_image(here.result).bytes == read_image(here.photo).bytes);
}

TEST_CASE("mend face: fidelity changes what CodeFormer makes, and is nothing for others") {
  const Workplace here;
  REQUIRE(here.face(here.square, here.codeformer, {"--fidelity", "0"}).code == 0);
  const Image imagined = read_image(here.result);
  REQUIRE(here.face(here.square, here.codeformer, {"--fidelity", "1"}).code == 0);
  CHECK(read_image(here.result).bytes != imagined.bytes);
  check_refused(here.face(here.square, here.gfpgan, {"--fidelity", "1"}),
                {"--fidelity", "GFPGANv1Clean", "CodeFormer"});
}

TEST_CASE("mend face: a photo alone is refused with what to do") {
  const Workplace here;
  check_refused(here.face(here.photo, here.gfpgan),
                {"photo.png", "90x70", "--detector", "--landmarks", "--aligned"});
}

TEST_CASE("mend face: options that make no sense are refused") {
  const Workplace here;
  check_refused(here.face(here.photo, here.gfpgan, {"--aligned", kLandmarks}), {"exclude"});
  check_refused(here.face(here.square, here.gfpgan, {"--aligned", "--upscale", "2"}),
                {"--upscale"});
  check_refused(here.face(here.square, here.gfpgan, {"--upscale", "2"}), {"--upscale"});
  for (const std::string bad : {"", "1,2,3", "1,2,3,4,5,6,7,8,9,10,11", "1,2,3,4,5,6,7,8,9,",
                                "a,2,3,4,5,6,7,8,9,10", "1,2,3,4,5,6,7,8,9,1 0"}) {
    CAPTURE(bad);
    check_refused(here.face(here.photo, here.gfpgan, {"--landmarks=" + bad}), {"--landmarks"});
  }
  for (const std::string bad : {"5,5,5,5,5,5,5,5,5,5", "nan,2,3,4,5,6,7,8,9,10"}) {
    check_refused(here.face(here.photo, here.gfpgan, {"--landmarks=" + bad}), {"lie apart"});
  }
}

TEST_CASE("mend face: networks for something else are refused, and faces by other commands") {
  const Workplace here;
  const std::string upscaler = tiny_srvgg().write(here.folder / "srvgg.safetensors");
  check_refused(here.face(here.square, upscaler), {"does not restore faces", "mend upscale"});
  check_refused(here.face(here.square, here.detector(0)), {"--detector"});
  check_refused(here.face(here.photo, here.gfpgan, {"--detector", here.codeformer}),
                {"finds no faces", "RetinaFace"});
  for (const std::string& network : {here.gfpgan, here.codeformer}) {
    check_refused(mend_run({"denoise", here.photo, "-w", network, "-o", here.result}),
                  {"is made for face"});
    check_refused(mend_run({"run", network, here.photo, "-o", here.result}), {"`mend face`"});
  }
}
