#include "restore/face.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"
#include "layers/functions.h"
#include "restore/color.h"
#include "restore/exchange.h"
#include "restore/imresize.h"

namespace mend {
namespace {

/// What facexlib fills in where a face reaches out of the picture: (135, 133, 132) in BGR.
const std::vector<float> kOutside = {132.0f / 255, 133.0f / 255, 135.0f / 255};

/// RGB, or its luma if the picture is gray.
Tensor as_colours_of(const Image& image, const Tensor& rgb) {
  return image.colour_channels() == 3 ? rgb : luma(rgb, LumaRange::kFull);
}

const Model& checked(const Model& model) {
  if (is_face_network(model) && model.traits.working_size > 0) return model;
  throw UsageError(fmt::format("{} does not restore faces", model.description));
}

/// background + mask · (face − background)
Tensor mixed(const Tensor& background, const Tensor& face, const Tensor& mask) {
  return mask * face + (Tensor::full({1, 1, 1, 1}, 1.0f) - mask) * background;
}

}  // namespace

bool is_face_network(const Model& model) {
  const std::vector<std::string>& tasks = model.traits.tasks;
  return std::find(tasks.begin(), tasks.end(), "face") != tasks.end();
}

FaceRestorer::FaceRestorer(const Model& model)
    : black_(checked(model).traits.black),
      white_(model.traits.white),
      size_(model.traits.working_size),
      network_({.network = [forward = model.forward](const std::vector<Tensor>& inputs) {
        return std::vector<Tensor>{forward(inputs).front()};
      }}) {}

Tensor FaceRestorer::restore(const Tensor& face, const TileOptions& options) {
  check_f32(options, "face");
  TileOptions whole = options;
  whole.mode = TileOptions::Mode::kOff;
  const float range = white_ - black_;
  Tensor result;
  network_.run(
      size_, size_, whole,
      [&](const Rectangle&, const Tensor& to) {
        const Tensor x = affine(face, range, black_);
        std::copy_n(x.view<const float>().data, x.shape().elements(), to.view<float>().data);
      },
      [&](const Rectangle&, const Tensor& y) { result = affine(y, 1 / range, -black_ / range); });
  return result;
}

Image FaceRestorer::restore_aligned(const Image& image, const TileOptions& options) {
  Image face = imresize(image, size_, size_);
  const Tensor pixels = window_to_float(face, 0, 0, size_, size_);
  store_float(face, 0, 0, as_colours_of(face, restore(as_rgb(pixels), options)));
  return face;
}

Image FaceRestorer::restore_faces(const Image& image, const std::vector<FacePoints>& faces,
                                  const TileOptions& options, int upscale) {
  const FacePoints pose = face_template(size_);
  std::vector<Similarity> to_pose;
  for (const FacePoints& face : faces) to_pose.push_back(fit_similarity(face, pose));
  Image canvas = upscale == 1 ? image : imresize(image, upscale);
  const Tensor whole =
      faces.empty() ? Tensor() : as_rgb(window_to_float(image, 0, 0, image.height, image.width));
  // Between pixel centres of the picture and of the canvas.
  const Similarity enlarge{static_cast<double>(upscale), 0, (upscale - 1) / 2.0,
                           (upscale - 1) / 2.0};
  for (std::size_t i = 0; i < faces.size(); ++i) {
    TileOptions own = options;
    if (options.progress) {
      own.progress = [&](int done, int all) {
        const int before = static_cast<int>(i) * all;
        options.progress(before + done, static_cast<int>(faces.size()) * all);
      };
    }
    const Tensor aligned = warp(whole, to_pose[i], {0, 0, size_, size_}, kOutside);
    const Tensor restored = clamp(restore(aligned, own), 0, 1);
    const Similarity back = to_pose[i].inverse().then(enlarge);
    const Rectangle window = reached(back, size_, canvas.height, canvas.width);
    if (window.h == 0 || window.w == 0) continue;
    const PasteMask mask = paste_mask(back, size_, window);
    const Tensor face = mask.face * warp(restored, back, window, {0, 0, 0});
    const Tensor behind = as_rgb(window_to_float(canvas, window.y, window.x, window.h, window.w));
    store_float(canvas, window.y, window.x, as_colours_of(canvas, mixed(behind, face, mask.soft)));
  }
  return canvas;
}

}  // namespace mend
