#include "train/pairs.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "layers/functions.h"
#include "restore/image_file.h"
#include "restore/lab.h"
#include "tests/support/guarded.h"
#include "tests/support/paths.h"
#include "tests/support/thrown.h"

namespace mend::test {
namespace {

namespace fs = std::filesystem;

/// A folder of pictures that differ, one in a folder inside; gone at the end.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("mend_pictures_" + std::to_string(::getpid()))) {
    fs::create_directories(path_ / "more");
    write(path_ / "a.png", 70, 90, 11);
    write(path_ / "b.png", 64, 64, 5);
    write(path_ / "more" / "c.png", 200, 100, 3);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string path() const { return path_.string(); }

  static void write(const fs::path& path, int width, int height, int step) {
    Image image = make_image(width, height, 3, 8);
    for (std::size_t i = 0; i < image.bytes.size(); ++i) {
      image.bytes[i] = static_cast<std::uint8_t>(i * static_cast<std::size_t>(step) / 7);
    }
    write_image(path.string(), image);
  }

 private:
  fs::path path_;
};

std::shared_ptr<PictureSet> pictures_of(const Folder& folder, std::vector<std::string>* notes,
                                        std::int64_t cache = 1 << 20) {
  PictureSetOptions options;
  options.smallest_side = 48;
  options.cache_bytes = cache;
  if (notes != nullptr) options.note = [notes](const std::string& note) { notes->push_back(note); };
  return std::make_shared<PictureSet>(std::vector<std::string>{folder.path()}, options);
}

Degradation half_with_noise() {
  return make_degradation(Json::parse(
      R"([{"do": "resize", "scale": 0.5, "filter": "area"}, {"do": "gaussian_noise", "sigma": 9}])"));
}

const PairOptions kOptions{.seed = 3, .patch = 16, .scale = 2, .margin = 4};

}  // namespace

TEST_CASE("training pairs: a sample depends on its number alone") {
  const Folder folder;
  const PairSource source(pictures_of(folder, nullptr), half_with_noise(), kOptions);
  const PairSource small_cache(pictures_of(folder, nullptr, 1), half_with_noise(), kOptions);
  const Pairs all = source.batch(0, 12);
  CHECK(all.input.shape() == Shape{12, 16, 16, 3});
  CHECK(all.target.shape() == Shape{12, 32, 32, 3});
  const int before = threads();
  set_threads(1);
  const Pairs later = small_cache.batch(5, 2);
  set_threads(before);
  const auto image = [](const Tensor& batch, int n) {
    const std::int64_t floats = batch.shape().elements() / batch.shape().n;
    const float* first = batch.view<const float>().data + n * floats;
    return std::vector<float>(first, first + floats);
  };
  for (int i : {0, 1}) {
    CHECK(image(later.input, i) == image(all.input, 5 + i));
    CHECK(image(later.target, i) == image(all.target, 5 + i));
  }
  CHECK(image(all.target, 0) != image(all.target, 1));
}

TEST_CASE("training pairs: more looks find patches of more detail") {
  const Folder folder;
  const auto detail = [&](int looks) {
    PairOptions options = kOptions;
    options.looks = looks;
    const Pairs pairs =
        PairSource(pictures_of(folder, nullptr), half_with_noise(), options).batch(0, 24);
    const View<const float> target = pairs.target.view<const float>();
    double sum = 0;
    for (int n = 0; n < 24; ++n)
      for (int y = 0; y < 32; ++y)
        for (int x = 0; x + 1 < 32; ++x)
          sum += std::abs(target(n, y, x + 1, 1) - target(n, y, x, 1));
    return sum;
  };
  CHECK(detail(6) > detail(1));
}

TEST_CASE("training pictures: each once for every size") {
  const Folder folder;
  Folder::write(folder.path() + "/large.png", 400, 200, 5);
  PictureSetOptions options;
  const auto count = [&](std::vector<int> sides) {
    options.largest_sides = std::move(sides);
    return PictureSet({folder.path() + "/large.png"}, options).size();
  };
  CHECK(count({0}) == 1);
  CHECK(count({400, 100}) == 2);
  CHECK(count({400, 300, 100}) == 3);
  CHECK(count({1000, 500}) == 1);  // both leave it as it is
  options.largest_sides = {400, 100};
  PictureSet pictures({folder.path() + "/large.png"}, options);
  CHECK(pictures.picture(0)->width == 400);
  CHECK(pictures.picture(1)->width == 100);
  CHECK(pictures.picture(1)->height == 50);
}

TEST_CASE("training pictures: made small without a fault of scale or place") {
  const Folder folder;
  const std::string path = folder.path() + "/ramp.png";
  Image ramp = make_image(900, 300, 3, 8);
  for (int y = 0; y < ramp.height; ++y)
    for (int x = 0; x < ramp.width * 3; ++x) {
      ramp.row(y)[x] = static_cast<std::uint8_t>(20 + (x / 3) / 5 + y / 10);
    }
  write_image(path, ramp);
  PictureSetOptions options;
  for (const int side : {450, 300, 171, 60}) {  // by 2, 3, a broken factor, and averaged first
    options.largest_sides = {side};
    PictureSet pictures({path}, options);
    const Image& small = *pictures.picture(0);
    CAPTURE(side);
    REQUIRE(small.width == side);
    REQUIRE(small.height == side / 3);
    const double factor = 900.0 / side;
    for (int y = 4; y < small.height - 4; ++y)
      for (int x = 4; x < small.width - 4; ++x) {
        const double wanted =
            20 + ((x + 0.5) * factor - 0.5) / 5 + ((y + 0.5) * factor - 0.5) / 10 - 0.85;
        REQUIRE(std::abs(small.row(y)[3 * x + 1] - wanted) <
                2);  // the ramp's own steps, and two roundings
      }
  }
}

TEST_CASE("training pairs: without noise the input is the target made small") {
  const Folder folder;
  const Degradation half =
      make_degradation(Json::parse(R"([{"do": "resize", "scale": 0.5, "filter": "area"}])"));
  const Pairs pairs = PairSource(pictures_of(folder, nullptr), half, kOptions).batch(0, 8);
  const View<const float> input = pairs.input.view<const float>();
  const View<const float> target = pairs.target.view<const float>();
  for (int n = 0; n < 8; ++n)
    for (int y = 0; y < 16; ++y)
      for (int x = 0; x < 16; ++x) {
        const float mean = (target(n, 2 * y, 2 * x, 1) + target(n, 2 * y, 2 * x + 1, 1) +
                            target(n, 2 * y + 1, 2 * x, 1) + target(n, 2 * y + 1, 2 * x + 1, 1)) /
                           4;
        REQUIRE(input(n, y, x, 1) == doctest::Approx(mean).epsilon(1e-5));
      }
}

TEST_CASE("training pairs: what happens before happens to the target, and to the input by it") {
  const Folder folder;
  const auto steps = [](const char* list) { return make_degradation(Json::parse(list)); };
  const Degradation half = steps(R"([{"do": "resize", "scale": 0.5, "filter": "area"}])");
  PairOptions options = kOptions;
  options.before = steps(R"([{"do": "darken", "gamma": 1, "gain": 0.5}])");
  const Pairs plain = PairSource(pictures_of(folder, nullptr), half, kOptions).batch(0, 4);
  const Pairs dark = PairSource(pictures_of(folder, nullptr), half, options).batch(0, 4);
  for (const auto& [of, wanted] :
       {std::pair(dark.target, plain.target), {dark.input, plain.input}}) {
    for (std::int64_t i = 0; i < of.shape().elements(); ++i) {
      REQUIRE(2 * of.view<const float>().data[i] ==
              doctest::Approx(wanted.view<const float>().data[i]).epsilon(1e-5));
    }
  }
  options.before = half;
  const PairSource smaller(pictures_of(folder, nullptr), half, options);
  CHECK(thrown<UsageError>([&] { smaller.batch(0, 1); }).find("before: the steps make") == 0);
}

TEST_CASE("training pairs: to colorize, lightness is given and a*b* are wanted") {
  const Folder folder;
  PairOptions options = kOptions;
  options.scale = 1;
  const Pairs plain =
      PairSource(pictures_of(folder, nullptr), make_degradation(Json::array()), options)
          .batch(3, 4);
  options.colours = true;
  const Pairs pairs =
      PairSource(pictures_of(folder, nullptr), make_degradation(Json::array()), options)
          .batch(3, 4);
  CHECK(pairs.input.shape().c == 1);
  CHECK(pairs.target.shape().c == 2);
  CHECK(relative_error(lab_to_rgb(concat({pairs.input, pairs.target})), plain.target) <= 1e-5);
}

TEST_CASE("training pictures: what cannot be used is named and left out") {
  const Folder folder;
  Folder::write(folder.path() + "/tiny.png", 20, 20, 1);
  {
    // A good header, and nothing behind it.
    std::ifstream whole(folder.path() + "/b.png", std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(whole)), std::istreambuf_iterator<char>());
    std::ofstream(folder.path() + "/cut.png", std::ios::binary) << bytes.substr(0, 60);
  }
  std::ofstream(folder.path() + "/notes.txt") << "no picture";
  std::vector<std::string> notes;
  const auto pictures = pictures_of(folder, &notes);
  const auto told = [&](const std::string& text) {
    return std::count_if(notes.begin(), notes.end(), [&](const std::string& note) {
      return note.find(text) != std::string::npos;
    });
  };
  CHECK(told("tiny.png") == 1);
  CHECK(told("notes.txt") == 1);
  CHECK(pictures->size() == 4);
  const PairSource source(pictures, half_with_noise(), kOptions);
  source.batch(0, 40);
  source.batch(0, 40);
  CHECK(told("cut.png") == 1);
  CHECK(thrown<InputError>([&] {
          PictureSet({folder.path() + "/nowhere"}, {});
        }).find("no such file or folder") != std::string::npos);
}

TEST_CASE(
    "training pairs: with holes there is a mask, and the input is the target where there is none") {
  const Folder folder;
  PairOptions options = kOptions;
  options.scale = 1;
  const Degradation nothing = make_degradation(Json::array());
  const auto holes = [](const char* steps) { return make_degradation(Json::parse(steps), "mask"); };
  const char* steps = R"([{"do": "holes", "share": 0.2, "size": [2, 5]}])";
  const Pairs pairs =
      PairSource(pictures_of(folder, nullptr), nothing, options, holes(steps)).batch(0, 6);
  const Pairs others = PairSource(pictures_of(folder, nullptr), nothing, options,
                                  holes(R"([{"do": "missing_pixels", "share": 0.5}])"))
                           .batch(0, 6);
  REQUIRE(pairs.input.shape() == Shape{6, 16, 16, 4});
  REQUIRE(pairs.target.shape() == Shape{6, 16, 16, 3});
  CHECK(identical(pairs.target, others.target));  // holes change no picture and no place
  CHECK(!identical(pairs.input, others.input));
  int missing = 0;
  for (int n = 0; n < 6; ++n)
    for (int y = 0; y < 16; ++y)
      for (int x = 0; x < 16; ++x) {
        const float hole = pairs.input.view<const float>()(n, y, x, 3);
        missing += hole == 1 ? 1 : 0;
        for (int c = 0; c < 3; ++c) {
          const float known = pairs.target.view<const float>()(n, y, x, c);
          REQUIRE(pairs.input.view<const float>()(n, y, x, c) == (hole == 1 ? 0 : known));
        }
      }
  CHECK(missing > 6 * 256 / 20);
  CHECK(missing < 6 * 256 / 2);
}

TEST_CASE("training pairs: a share of them is gray, input and target") {
  const Folder folder;
  PairOptions options{.seed = 4, .patch = 16, .margin = 2, .gray_share = 0.5};
  const Pairs pairs =
      PairSource(pictures_of(folder, nullptr), make_degradation(Json::array()), options)
          .batch(0, 12);
  int gray = 0;
  for (int n = 0; n < 12; ++n) {
    bool is_gray = true;
    for (int y = 0; y < 16; ++y)
      for (int x = 0; x < 16; ++x)
        for (const Tensor& side : {pairs.input, pairs.target}) {
          const float* pixel = side.view<const float>().pixel(n, y, x);
          is_gray = is_gray && pixel[0] == pixel[1] && pixel[1] == pixel[2];
        }
    gray += is_gray ? 1 : 0;
  }
  CHECK(gray > 1);
  CHECK(gray < 11);
}

TEST_CASE("training pairs: a degradation that ends at another size is refused") {
  const Folder folder;
  const PairSource source(pictures_of(folder, nullptr),
                          make_degradation(Json::parse(R"([{"do": "gray"}])")), kOptions);
  CHECK(thrown<UsageError>([&] { source.batch(0, 1); }).find("the steps end at 48x48") !=
        std::string::npos);
}

}  // namespace mend::test
