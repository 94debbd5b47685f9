// The published quality of published checkpoints, through the whole pipeline: file, colours, network,
// rounding, metric. Figures and protocols are those of the checkpoints' own descriptions.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "layers/functions.h"
#include "models/registry.h"
#include "restore/color.h"
#include "restore/image_file.h"
#include "restore/imresize.h"
#include "restore/metrics.h"
#include "restore/restore.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

using namespace mend;
using namespace mend::test;

namespace {

constexpr double kDecibels = 0.02;  // how near a figure must come

const std::vector<std::string> kSet5 = {"baby", "bird", "butterfly", "head", "woman"};

std::string low_resolution(const std::string& name, int scale) {
  const std::string s = std::to_string(scale);
  return shared_path("images/Set5/LR_bicubic/X" + s + "/" + name + "x" + s + ".png");
}

Image top_left(const Image& image, int height, int width) {
  Image part = make_image_like(image, width, height, image.channels, image.bits);
  for (int y = 0; y < height; ++y) std::copy_n(image.row(y), part.row_bytes(), part.row(y));
  return part;
}

/// Cut below and to the right to a multiple of the scale, as the low-resolution files were made.
Image original(const std::string& name, int height, int width) {
  return top_left(read_image(shared_path("images/Set5/HR/" + name + ".png")), height, width);
}

Model load(const std::string& path) { return load_model(read_checkpoint(shared_path(path))); }

struct Quality {
  double psnr = 0, ssim = 0;
};

/// Mean over Set5 on luma, `scale` pixels of border left out.
Quality on_set5(const Model& model, int scale) {
  Quality mean;
  RestoreOptions options;
  options.enlarge = scale;
  for (const std::string& name : kSet5) {
    const Image result = restore(model, read_image(low_resolution(name, scale)), options);
    const Image reference = original(name, result.height, result.width);
    const Protocol protocol{ScoredColours::kY, scale};
    mean.psnr += psnr(result, reference, protocol).value / static_cast<double>(kSet5.size());
    mean.ssim += ssim(result, reference, protocol).value / static_cast<double>(kSet5.size());
  }
  return mean;
}

double mean_of(const Image& image) {
  double sum = 0;
  for (const std::uint8_t byte : image.bytes) sum += byte;
  return sum / static_cast<double>(image.bytes.size());
}

/// A tensor of `x` in [0,1] as an 8-bit picture.
Image picture_of(const Tensor& x) {
  Image image = make_image(x.shape().w, x.shape().h, x.shape().c, 8);
  store_float(image, 0, 0, x);
  return image;
}

}  // namespace

TEST_CASE("quality: super-resolution of Set5 reaches the published figures") {
  struct Row {
    const char* weights;
    int scale;
    double psnr, ssim;
  };
  const Row rows[] = {
      {"weights/rlfn_x4/rlfn_x4.pth", 4, 32.238, 0.8953},
      {"weights/esrgan_slim_x4/model.json", 4, 28.637, 0.8145},
      {"weights/realesr_general_x4v3/RealESRGAN_General_x4_v3.bin", 4, 26.644, 0.8256},
      {"weights/srmd_x2/srmd_x2.bin", 2, 37.426, 0.9584},
      {"weights/waifu2x_cunet_x2/scale2.0x_model.bin", 2, 37.353, 0.9574},
  };
  if (!require_data(shared_path("images/Set5")) || !require_data(shared_path("weights"))) return;
  for (const Row& row : rows) {
    CAPTURE(std::string(row.weights));
    const Quality reached = on_set5(load(row.weights), row.scale);
    CHECK(std::abs(reached.psnr - row.psnr) <= kDecibels);
    CHECK(std::abs(reached.ssim - row.ssim) <= 2e-4);
  }
}

namespace {

/// PSNR of luma alone, over Set5: Y in f32, enlarged by `enlarge`, through the network, rounded to
/// 8 bits, against the original's Y. Chroma plays no part.
double luma_psnr_on_set5(const Model& model, int scale, int enlarge) {
  double mean = 0;
  for (const std::string& name : kSet5) {
    const Image low = read_image(low_resolution(name, scale));
    const Tensor y = luma(window_to_float(low, 0, 0, low.height, low.width));
    const Tensor input = enlarge > 1 ? imresize(y, enlarge) : y;
    const Image result = picture_of(Plan(model.forward, {input.shape()})({input}).front());
    const Image high = original(name, result.height, result.width);
    const int h = result.height - 2 * scale, w = result.width - 2 * scale;
    const Tensor difference = window_to_float(result, scale, scale, h, w) -
                              luma(window_to_float(high, scale, scale, h, w));
    double squares = 0;
    const std::int64_t count = difference.shape().elements();
    for (std::int64_t i = 0; i < count; ++i) {
      const double d = difference.view<const float>().data[i];
      squares += d * d;
    }
    mean +=
        10 * std::log10(static_cast<double>(count) / squares) / static_cast<double>(kSet5.size());
  }
  return mean;
}

}  // namespace

TEST_CASE("quality: luma networks reach the published figures on Set5") {
  if (!require_data(shared_path("images/Set5")) || !require_data(shared_path("weights"))) return;
  struct Row {
    std::string weights;
    int scale, enlarge;
    double psnr;
  };
  const std::string vdsr = "weights/vdsr/vdsr_model_epoch_50.pth", opencv = "weights/opencv_sr_pb/";
  const Row rows[] = {
      {vdsr, 2, 2, 37.573},
      {vdsr, 3, 3, 33.741},
      {vdsr, 4, 4, 31.433},
      {opencv + "FSRCNN_x2.pb", 2, 1, 34.838},
      {opencv + "FSRCNN_x3.pb", 3, 1, 30.555},
      {opencv + "FSRCNN_x4.pb", 4, 1, 28.37},
      {opencv + "ESPCN_x2.pb", 2, 1, 34.71},
      {opencv + "ESPCN_x3.pb", 3, 1, 30.482},
      {opencv + "ESPCN_x4.pb", 4, 1, 28.358},
  };
  for (const Row& row : rows) {
    CAPTURE(row.weights);
    CAPTURE(row.scale);
    const double reached = luma_psnr_on_set5(load(row.weights), row.scale, row.enlarge);
    CAPTURE(reached);
    CHECK(std::abs(reached - row.psnr) <= kDecibels);
  }
}

TEST_CASE("quality: denoisers reach the published figures on stored noise") {
  if (!require_data(shared_path("goldens_real")) || !require_data(shared_path("weights"))) return;
  const auto score = [](const Golden& golden, const Tensor& result) {
    const Tensor clean = (1.0f / 255) * golden.at("clean");
    return psnr(picture_of(result), picture_of(clean)).value;
  };
  const Golden gray = load_golden(shared_path("goldens_real/dncnn_gray_s25.safetensors"));
  const Model dncnn = load("weights/dncnn_gray_s25/dncnn_25.pth");
  CHECK(std::abs(score(gray, dncnn.forward({gray.at("input")}).front()) - 30.208) <= kDecibels);

  const Golden colour = load_golden(shared_path("goldens_real/ffdnet_color.safetensors"));
  const Model ffdnet = load("weights/ffdnet_color/ffdnet_color.pth");
  const std::vector<Tensor> inputs =
      network_inputs(ffdnet, colour.at("input"), {.sigma = 25.0f / 255});
  CHECK(std::abs(score(colour, ffdnet.forward(inputs).front()) - 28.743) <= kDecibels);
}

TEST_CASE("quality: DnCNN-3 removes JPEG artifacts of classic5 as published") {
  if (!require_data(shared_path("images/classic5")) || !require_data(shared_path("weights")))
    return;
  const Model model = load("weights/dncnn3_jpeg/dncnn3_jpeg.safetensors");
  double db = 0, similarity = 0, blocked = 0;
  const std::vector<std::string> names = {"baboon", "barbara", "boats", "lena", "peppers"};
  for (const std::string& name : names) {
    std::string path = shared_path("images/classic5/" + name + ".png");
    if (!require_data(path)) return;
    const Image clean = read_image(path);
    WriteOptions quality_10;
    quality_10.quality = 10;
    const Image jpeg = decode_image(encode_image(clean, ImageFormat::kJpeg, quality_10), name);
    const Image result = restore(model, jpeg, {});
    db += psnr(result, clean).value / 5;
    similarity += ssim(result, clean).value / 5;
    blocked += psnr_b(result, clean).value / 5;
  }
  CHECK(std::abs(db - 29.405) <= kDecibels);
  CHECK(std::abs(similarity - 0.8026) <= 2e-4);
  CHECK(std::abs(blocked - 29.13) <= kDecibels);
}

TEST_CASE("quality: AOD-Net removes synthetic haze as published") {
  const std::string hazy_path = shared_path("images/real_degraded/hazy/synthetic_3096.png");
  if (!require_data(hazy_path) || !require_data(shared_path("weights/aod_net"))) return;
  const Image hazy = read_image(hazy_path);
  const Image clean =
      top_left(read_image(shared_path("images/CBSD68_20/3096.png")), hazy.height, hazy.width);
  const Image result = restore(load("weights/aod_net/aod_dehazer.pth"), hazy, {});
  CHECK(std::abs(psnr(result, clean).value - 21.817) <= kDecibels);
}

TEST_CASE("quality: low-light networks reach the stated brightness") {
  const std::string dark_path = shared_path("images/real_degraded/low_light/lol_eval_1.png");
  if (!require_data(dark_path) || !require_data(shared_path("weights"))) return;
  const Image dark = read_image(dark_path);
  const auto brightness = [&](const char* weights) {
    return mean_of(restore(load(weights), dark, {}));
  };
  CHECK(std::abs(mean_of(dark) - 24.92) <= 0.01);
  CHECK(std::abs(brightness("weights/zero_dce/zero_dce.pth") - 81.29) <= 0.01);
  CHECK(std::abs(brightness("weights/sci_medium/sci_medium.pt") - 94.33) <= 0.01);
}
