// Broken files among good ones: the good ones are done, each broken one gets its line.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <map>

#include "restore/image_file.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"
#include "tests/support/file_bytes.h"

using namespace mend;
using namespace mend::test;
using namespace std::string_literals;

namespace fs = std::filesystem;

namespace {

std::string encoded(ImageFormat format) {
  return to_string(encode_image(smooth_image(24, 18, 3), format));
}

std::string half_of(const std::string& file) { return file.substr(0, file.size() / 2); }

std::string png_of_extents(std::uint32_t width, std::uint32_t height) {
  return make_png({.width = width, .height = height, .scanlines = {"\0\0", 2}});
}

std::string with_byte(std::string file, std::size_t at, int value) {
  file.at(at) = static_cast<char>(value);
  return file;
}

/// Files that are no pictures, by name.
std::map<std::string, std::string> broken_pictures() {
  const std::string png = encoded(ImageFormat::kPng), jpeg = encoded(ImageFormat::kJpeg);
  const std::string bmp = encoded(ImageFormat::kBmp), ppm = encoded(ImageFormat::kPnm);
  return {
      {"animated.png", "GIF89a\1\0\1\0"},
      {"bad_checksum.png", with_byte(png, png.size() - 20, 0x5A)},
      {"bad_depth.png", make_png({.depth = 3, .scanlines = {"\0\0", 2}})},
      {"bad_filter.png", make_png({.scanlines = {"\x09\0", 2}})},
      {"checkpoint.png",
       safetensors_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abcd")},
      {"cmyk.jpg", cmyk_jpeg()},
      {"compressed.bmp", with_byte(bmp, 30, 1)},
      {"cut.bmp", half_of(bmp)},
      {"cut.jpg", half_of(jpeg)},
      {"cut.png", half_of(png)},
      {"cut.ppm", half_of(ppm)},
      {"cut_by_one.jpg", jpeg.substr(0, jpeg.size() - 2)},
      {"empty.png", ""},
      {"extents_wrap.png", png_of_extents(0xFFFFFFFF, 2)},
      {"heic.jpg", std::string("\0\0\0\x18"
                               "ftypheic",
                               12)},
      {"huge.png", png_of_extents(100'000, 100'000)},
      {"huge.ppm", "P6 100000 100000 255\n"},
      {"huge_numbers.ppm", "P6 99999999999999999999 5 255\n"},
      {"maximum_0.ppm", "P6 1 1 0\nabc"},
      {"no_palette.png", make_png({.colour_type = 3, .scanlines = {"\0\0", 2}})},
      {"no_pixels.ppm", "P6 0 5 255\n"},
      {"signature_only.png", kPngSignature},
      {"text.jpg", "hello, I am a picture\n"},
      {"tiff.png", {"II*\0\x08\0\0\0", 8}},
      {"too_few_pixels.png", make_png({.width = 5, .height = 5, .scanlines = {"\0\0", 2}})},
      {"twelve_bits.jpg", with_byte(jpeg, jpeg.find("\xFF\xC0") + 4, 12)},
      {"zero_wide.png", png_of_extents(0, 5)},
      {"zeros.png", std::string(100, '\0')},
  };
}

}  // namespace

TEST_CASE("mend: thirty-two broken inputs among three good ones leave the good ones done") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  fs::create_directory(folder / "in");
  std::vector<std::string> inputs, broken;
  for (const auto& [name, bytes] : broken_pictures()) {
    broken.push_back(folder / ("in/" + name));
    write_file(broken.back(), bytes);
  }
  broken.push_back(folder / "in/folder.png");
  fs::create_directory(broken.back());
  broken.push_back(folder / "in/unreadable.png");
  fs::create_symlink("/proc/self/mem", broken.back());
  broken.push_back(folder / "in/dangling.png");
  fs::create_symlink("nowhere.png", broken.back());
  broken.push_back(folder / "in/nothing*.png");
  REQUIRE(broken.size() == 32);
  inputs = broken;
  for (const std::size_t place : {0, 17, 34}) {
    const std::string good = folder / ("in/good" + std::to_string(place) + ".png");
    write_file(good, encoded(ImageFormat::kPng));
    inputs.insert(inputs.begin() + static_cast<long>(std::min(place, inputs.size())), good);
  }

  std::vector<std::string> arguments = {"upscale"};
  arguments.insert(arguments.end(), inputs.begin(), inputs.end());
  arguments.insert(arguments.end(), {"-w", network, "-o", folder / "out", "-q"});
  const Finished run = mend_run(arguments);
  CAPTURE(run.err);
  CHECK(run.code == 1);
  CHECK(files_in(folder / "out") == "good0.png good17.png good34.png");
  CHECK(run.lines_on_stderr() == 32);
  const std::vector<std::string> errors = run.errors();
  REQUIRE(errors.size() == broken.size());
  for (std::size_t i = 0; i < broken.size(); ++i) {
    CHECK(errors[i].starts_with("mend: error: " + broken[i] + ": "));
    CHECK(errors[i].size() < 500);
  }
  for (std::size_t i = 0; i < 5; ++i) {  // alone, each is a picture that cannot be used
    CHECK(mend_run({"upscale", broken[7 * i], "-w", network, "-o", folder / "x.png"}).code == 3);
  }
}

TEST_CASE("mend: unusual but valid pictures are read") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  const Image image = smooth_image(9, 11, 3);
  const std::map<std::string, std::string> pictures = {
      {"one_bit.png", make_png({.width = 3, .depth = 1, .scanlines = {"\0\xA0", 2}})},
      {"interlaced.png", make_png({.width = 9,
                                   .height = 11,
                                   .colour_type = 2,
                                   .interlaced = true,
                                   .scanlines = png_scanlines(image, true)})},
      {"animated.png", make_png({.width = 9,
                                 .height = 11,
                                 .colour_type = 2,
                                 .chunks = png_chunk("acTL", std::string("\0\0\0\2\0\0\0\0", 8)),
                                 .scanlines = png_scanlines(image, false)})},
      {"one_pixel.png", make_png({.scanlines = {"\0\x80", 2}})},
      {"wrong_extension.jpg", encoded(ImageFormat::kPng)},
  };
  for (const auto& [name, bytes] : pictures) {
    CAPTURE(name);
    write_file(folder / name, bytes);
    const Finished run =
        mend_run({"upscale", folder / name, "-w", network, "-o", folder / "out.png"});
    CAPTURE(run.err);
    CHECK(run.code == 0);
    const bool warned = run.err.find("animated; its first picture") != std::string::npos;
    CHECK(warned == (name == "animated.png"));
  }
}

TEST_CASE("mend: every broken checkpoint is refused in one line, with code 4") {
  const TemporaryFolder folder;
  write_image(folder / "photo.png", smooth_image(16, 16, 3));
  tiny_srvgg().write(folder / "good.safetensors");
  const std::string good = read_file(folder / "good.safetensors");
  const auto tensor = [](const std::string& entry) { return safetensors_of(entry, "abcd"); };
  TinyNetwork misshaped = tiny_srvgg(), surplus = tiny_srvgg();
  misshaped.put("body.2.weight", {8, 9, 3, 3}, 0, 1).write(folder / "misshaped");
  surplus.put("body.9.running_mean", {8}, 0, 1).write(folder / "surplus");
  const std::map<std::string, std::string> checkpoints = {
      {"empty.pth", ""},
      {"text.pth", "these are my weights"},
      {"cut.safetensors", half_of(good)},
      {"cut_header.safetensors", good.substr(0, 20)},
      {"huge_header.safetensors", bytes_of(std::uint64_t{1} << 62) + "{"},
      {"no_json.safetensors", safetensors_of("{{{{", "")},
      {"no_tensors.safetensors", safetensors_of("{}", "")},
      {"outside.safetensors", tensor(R"({"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}})")},
      {"overlap.safetensors", tensor(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                                     R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})")},
      {"huge_shape.safetensors",
       tensor(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}})")},
      {"bad_type.safetensors", tensor(R"({"a":{"dtype":"Q7","shape":[1],"data_offsets":[0,4]}})")},
      {"command.pth", zip_of({{"archive/data.pkl",
                               "\x80\x02"
                               "cos\nsystem\nX\x04\0\0\0"
                               "true\x85R."s}})},
      {"cut_zip.pth", half_of(zip_of({{"archive/data.pkl", "\x80\x02}."}}))},
      {"bomb.pth", zip_of({{"archive/data.pkl", std::string(64, '\0'), 0xFFFFFFF0u}})},
      {"misshaped.safetensors", read_file(folder / "misshaped")},
      {"surplus.safetensors", read_file(folder / "surplus")},
      {"picture.pth", encoded(ImageFormat::kPng)},
  };
  for (const auto& [name, bytes] : checkpoints) {
    CAPTURE(name);
    write_file(folder / name, bytes);
    const Finished run =
        mend_run({"upscale", folder / "photo.png", "-w", folder / name, "-o", folder / "out.png"});
    CAPTURE(run.err);
    CHECK(run.code == 4);
    CHECK(run.lines_on_stderr() == 1);
    CHECK(run.err.starts_with("mend: error: " + (folder / name)));
    CHECK(run.err.size() < 700);
    CHECK(!fs::exists(folder / "out.png"));
  }
}
