// What comes out keeps what went in: channels, bits, alpha, profile, and which way is up.
#include <doctest/doctest.h>

#include <utility>

#include "restore/color.h"
#include "restore/image_file.h"
#include "restore/imresize.h"
#include "tests/apps/run_program.h"
#include "tests/apps/tiny_networks.h"
#include "tests/restore/make_images.h"
#include "tests/support/compare.h"

using namespace mend;
using namespace mend::test;

namespace {

/// A folder in which pictures are restored one by one.
class Workplace {
 public:
  /// The picture that `command -w network` makes of `in`; files are in-NAME and out-NAME.
  Image restored(const std::string& command, const TinyNetwork& network, const Image& in,
                 const std::vector<std::string>& more = {}, const std::string& in_name = "a.png",
                 const std::string& out_name = "a.png") {
    write_image(folder_ / ("in-" + in_name), in);
    const std::string weights = network.write(folder_ / "net.safetensors", hyperparameters);
    std::vector<std::string> arguments = {command, folder_ / ("in-" + in_name),  "-w", weights,
                                          "-o",    folder_ / ("out-" + out_name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished run = mend_run(arguments);
    CAPTURE(run.err);
    REQUIRE(run.code == 0);
    return read_image(folder_ / ("out-" + out_name));
  }

  std::string hyperparameters;

 private:
  TemporaryFolder folder_;
};

Tensor colours_of(const Image& image) {
  return window_to_float(image, 0, 0, image.height, image.width);
}
Tensor alpha_of(const Image& image) {
  return alpha_to_float(image, 0, 0, image.height, image.width);
}
/// Cb and Cr of a picture.
Tensor chroma_of(const Image& image, LumaRange range) {
  return rgb_to_ycbcr(colours_of(image), range).channels(1, 2).clone();
}

constexpr double kGreyLevel = 1.0 / 255;

}  // namespace

TEST_CASE("mend denoise: channels, bits and every bit of alpha stay") {
  Workplace here;
  for (const int channels : {1, 2, 3, 4}) {
    for (const int bits : {8, 16}) {
      for (const int trained_on : {1, 3}) {
        CAPTURE(channels);
        CAPTURE(bits);
        CAPTURE(trained_on);
        const Image in = pattern_image(37, 29, channels, bits);
        const Image out = here.restored("denoise", tiny_dncnn(trained_on), in);
        CHECK(out.width == 37);
        CHECK(out.height == 29);
        CHECK(out.channels == channels);
        CHECK(out.bits == bits);
        CHECK(max_error(alpha_of(out), alpha_of(in)) <= 0);
        CHECK(max_error(colours_of(out), colours_of(in)).value > kGreyLevel);
      }
    }
  }
}

TEST_CASE("mend upscale: alpha is enlarged by bicubic, gray stays gray") {
  Workplace here;
  for (const int channels : {1, 2, 3, 4}) {
    for (const int bits : {8, 16}) {
      CAPTURE(channels);
      CAPTURE(bits);
      const Image in = pattern_image(37, 29, channels, bits);
      const Image out = here.restored("upscale", tiny_srvgg(), in);
      CHECK(out.width == 74);
      CHECK(out.height == 58);
      CHECK(out.channels == channels);
      CHECK(out.bits == bits);
      CHECK(max_error(alpha_of(out), alpha_of(imresize(in, 2))) <= 0);
    }
  }
}

TEST_CASE("mend: a network of one channel changes the luma of a colour picture alone") {
  Workplace here;
  Image in = smooth_image(40, 30, 3);
  for (std::uint8_t& value : in.bytes)
    value = static_cast<std::uint8_t>(80 + value / 4);  // no clipping
  const Image clean = here.restored("denoise", tiny_dncnn(1), in, {"--bits", "16"});
  CHECK(clean.bits == 16);
  CHECK(max_error(chroma_of(clean, LumaRange::kFull), chroma_of(in, LumaRange::kFull)) <=
        0.01 * kGreyLevel);
  CHECK(max_error(colours_of(clean), colours_of(in)).value > 0.1 * kGreyLevel);
}

TEST_CASE("mend upscale: networks of luma enlarge by themselves or after bicubic") {
  struct Row {
    const char* name;
    TinyNetwork network;
    const char* hyperparameters;
    int scale;
    bool told;  ///< --scale is given
  };
  const Row rows[] = {
      {"ESPCN", tiny_espcn(3), "", 3, false},
      {"FSRCNN", tiny_fsrcnn(), R"({"scale_factor": 2})", 2, false},
      {"SRCNN", tiny_srcnn(), "", 3, true},
      {"VDSR", tiny_vdsr(), "", 4, true},
      {"VDSR at its default", tiny_vdsr(), "", 2, false},
  };
  Workplace here;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    here.hyperparameters = row.hyperparameters;
    const std::vector<std::string> told = {"--scale", std::to_string(row.scale)};
    const Image in = smooth_image(20, 16, 3);
    const Image out =
        here.restored("upscale", row.network, in, row.told ? told : std::vector<std::string>{});
    CHECK(out.width == 20 * row.scale);
    CHECK(out.height == 16 * row.scale);
    CHECK(out.channels == 3);
    const Image gray = here.restored("upscale", row.network, smooth_image(20, 16, 1),
                                     row.told ? told : std::vector<std::string>{});
    CHECK(gray.channels == 1);
    CHECK(gray.width == 20 * row.scale);
  }
}

TEST_CASE("mend upscale: what VDSR leaves alone is MATLAB's bicubic") {
  Workplace here;
  TinyNetwork silent = tiny_vdsr();
  silent.put("output.weight", {1, 8, 3, 3}, 0, 0);
  const Image in = smooth_image(24, 20, 3);
  const Image out = here.restored("upscale", silent, in, {"--scale", "2"});
  CHECK(max_error(colours_of(out), colours_of(imresize(in, 2))) <= 1.01 * kGreyLevel);
}

TEST_CASE("mend: a photo that lies on its side is restored upright, its EXIF says so") {
  Workplace here;
  for (const int orientation : {1, 3, 6, 8}) {
    CAPTURE(orientation);
    Image lying = smooth_image(40, 24, 3);
    lying.exif = exif_block(orientation, true);
    const Image out = here.restored("upscale", tiny_srvgg(), lying, {}, "a.jpg", "a.png");
    Image upright = decode_image(encode_image(lying, ImageFormat::kJpeg), "a.jpg");
    const std::vector<std::uint8_t> exif = std::exchange(upright.exif, {});
    const bool turned = orientation > 4;
    CHECK(upright.width == (turned ? 24 : 40));
    const Image expected = here.restored("upscale", tiny_srvgg(), upright);
    CHECK(out.width == expected.width);
    CHECK(out.bytes == expected.bytes);
    CHECK(!exif.empty());
    CHECK(out.exif == exif);
    CHECK(out.exif != exif_block(orientation, true));
  }
}

TEST_CASE("mend: the ICC profile goes from format to format") {
  Workplace here;
  Image in = smooth_image(40, 24, 3);
  in.icc = icc_profile("RGB ");
  for (const char* from : {"a.png", "a.jpg"}) {
    for (const char* to : {"a.png", "a.jpg"}) {
      CAPTURE(from);
      CAPTURE(to);
      CHECK(here.restored("upscale", tiny_srvgg(), in, {}, from, to).icc == in.icc);
    }
  }
}

TEST_CASE("mend: every format is read and written") {
  Workplace here;
  const Image in = smooth_image(21, 17, 3);
  const Image expected = here.restored("upscale", tiny_srvgg(), in);
  for (const char* name : {"a.bmp", "a.ppm", "a.pam", "a.JPG", "a.jpeg"}) {
    CAPTURE(name);
    const Image out = here.restored("upscale", tiny_srvgg(), in, {}, "a.png", name);
    const bool lossy =
        std::string(name).find('.') != std::string::npos && out.format == ImageFormat::kJpeg;
    CHECK(out.width == 42);
    if (!lossy) CHECK(out.bytes == expected.bytes);
    if (!lossy) CHECK(here.restored("upscale", tiny_srvgg(), in, {}, name).bytes == expected.bytes);
  }
  const auto bytes_at = [&](const char* quality) {
    here.restored("upscale", tiny_srvgg(), in, {"--quality", quality}, "a.png", "a.jpg");
    return encode_image(
        here.restored("upscale", tiny_srvgg(), in, {"--quality", quality}, "a.png", "a.jpg"),
        ImageFormat::kPnm);
  };
  CHECK(bytes_at("20") != bytes_at("95"));
}

TEST_CASE("mend denoise: --strength 0 keeps the picture, and FFDNet must be told --sigma") {
  Workplace here;
  const Image in = pattern_image(30, 20, 4, 8);
  CHECK(here.restored("denoise", tiny_dncnn(3), in, {"--strength", "0"}).bytes == in.bytes);
  const Image weak = here.restored("denoise", tiny_ffdnet(), in, {"--sigma", "5"});
  const Image strong = here.restored("denoise", tiny_ffdnet(), in, {"--sigma", "75"});
  CHECK(weak.width == 30);
  CHECK(weak.bytes != strong.bytes);
}

TEST_CASE("mend: transparency into a format that has none is refused, never dropped") {
  const TemporaryFolder folder;
  const std::string network = tiny_srvgg().write(folder / "net.safetensors");
  write_image(folder / "a.png", pattern_image(20, 20, 4, 8));
  const Finished run =
      mend_run({"upscale", folder / "a.png", "-w", network, "-o", folder / "a.jpg"});
  CAPTURE(run.err);
  CHECK(run.code == 2);
  CHECK(run.errors().size() == 1);
  CHECK(run.err.find("a.jpg") != std::string::npos);
  CHECK(files_in(folder.path()) == "a.png net.safetensors");
}
