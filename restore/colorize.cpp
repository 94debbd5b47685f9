#include "restore/colorize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/error.h"
#include "engine/parallel.h"
#include "layers/functions.h"
#include "restore/exchange.h"
#include "restore/lab.h"

namespace mend {
namespace {

constexpr int kBandRows = 64;  // what is in f32 at once when the picture is put together

/// y[pixel] = work(pixel) over all channels of x, in place.
template <class Work>
void change(const Tensor& x, Work work) {
  const View<float> view = x.view<float>();
  parallel_for(view.shape.h, [&](std::int64_t row, int) {
    for (int w = 0; w < view.shape.w; ++w) work(view.pixel(0, static_cast<int>(row), w));
  });
}

/// The lightness that the network sees, size x size pixels, as its authors resize it.
Tensor small_lightness(const Image& image, const Traits& traits, int size) {
  const Tensor rgb = as_rgb(window_to_float(image, 0, 0, image.height, image.width));
  if (traits.colour == Colour::kGrayLightness) {
    return lightness(resized(rgb, size, size, ResampleMode::kBilinear));
  }
  const Tensor small = resized(rgb, size, size, ResampleMode::kBicubic, /*antialias=*/true);
  change(small, [](float* pixel) {  // Pillow gives whole grey levels
    for (int c = 0; c < 3; ++c) {
      pixel[c] = std::clamp(std::nearbyint(pixel[c] * 255), 0.0f, 255.0f) / 255;
    }
  });
  return lightness(small);
}

/// The lightness as the network's input: L* itself, or RGB of the gray that it makes.
Tensor network_picture(const Tensor& small, const Traits& traits) {
  if (traits.colour == Colour::kLightness) return small;
  const Tensor neutral = Tensor::zeros({1, small.shape().h, small.shape().w, 2});
  return lab_to_rgb(concat({small, neutral}));
}

/// a*, b* and 1 where at least a part of the pixel has a hint, size x size pixels.
Tensor small_hints(const Image& hints, int size) {
  const int h = hints.height, w = hints.width;
  const Tensor lab = rgb_to_lab(as_rgb(window_to_float(hints, 0, 0, h, w)));
  const Tensor counts = alpha_to_float(hints, 0, 0, h, w);
  change(counts, [](float* alpha) { *alpha = *alpha >= 0.5f ? 1.0f : 0.0f; });
  const Tensor small = resized(concat({slice_channels(lab, 1, 2) * counts, counts}), size, size,
                               ResampleMode::kArea);
  change(small, [](float* pixel) {
    if (pixel[2] <= 0) return;
    pixel[0] /= pixel[2];
    pixel[1] /= pixel[2];
    pixel[2] = 1;
  });
  return small;
}

/// The network's a*b* [1,size,size,2].
Tensor colours(const Model& model, const Tensor& picture, const Tensor& hints,
               const TileOptions& options) {
  const int channels = picture.shape().c;
  const Network network = [&](const std::vector<Tensor>& inputs) {
    Conditions conditions;
    if (hints) conditions.colour_hints = slice_channels(inputs[0], channels, 3);
    const Tensor x = hints ? slice_channels(inputs[0], 0, channels) : inputs[0];
    return std::vector<Tensor>{model.forward(network_inputs(model, x, conditions)).front()};
  };
  const Tensor all = hints ? concat({picture, hints}) : picture;
  TileOptions at_once = options;
  at_once.mode = TileOptions::Mode::kOff;
  Tensor result;
  TiledNetwork({.network = network, .channels = all.shape().c})
      .run(
          picture.shape().h, picture.shape().w, at_once,
          [&](const Rectangle&, const Tensor& to) {
            const View<const float> from = all.view<const float>();
            const View<float> view = to.view<float>();
            for (int y = 0; y < from.shape.h; ++y)
              for (int x = 0; x < from.shape.w; ++x)
                std::copy_n(from.pixel(0, y, x), from.shape.c, view.pixel(0, y, x));
          },
          [&](const Rectangle&, const Tensor& pixels) { result = pixels.clone(); });
  return result;
}

void check(const Model& model, const Image& image, const ColorizeOptions& options) {
  check_f32(options.run, "colorize");
  const Traits& traits = model.traits;
  if (!traits.gives_colours()) {
    throw UsageError(
        fmt::format("{} gives no colours; take one that is made for colorize", model.description));
  }
  if (options.hints == nullptr) return;
  if (traits.condition != Condition::kColourHints) {
    throw UsageError(fmt::format("{} takes no colour hints; SIGGRAPH17 does", model.description));
  }
  const Image& hints = *options.hints;
  if (hints.width != image.width || hints.height != image.height) {
    throw UsageError(fmt::format("the hints have {}x{} pixels, the picture {}x{}; they must agree",
                                 hints.width, hints.height, image.width, image.height));
  }
  if (is_opaque(hints)) {
    throw UsageError("the hints have no transparent pixel, so they leave nothing to the network");
  }
}

}  // namespace

Image colorize(const Model& model, const Image& image, const ColorizeOptions& options) {
  check(model, image, options);
  const Traits& traits = model.traits;
  const Tensor small = small_lightness(image, traits, traits.working_size);
  const Tensor hints =
      options.hints != nullptr ? small_hints(*options.hints, traits.working_size) : Tensor();
  const bool is_ddcolor = traits.colour == Colour::kGrayLightness;
  const Tensor ab =
      resized(colours(model, network_picture(small, traits), hints, options.run), image.height,
              image.width, is_ddcolor ? ResampleMode::kNearest : ResampleMode::kBilinear);

  Image result =
      make_image_like(image, image.width, image.height, image.has_alpha() ? 4 : 3, image.bits);
  for (int y = 0; y < image.height; y += kBandRows) {
    const int rows = std::min(kBandRows, image.height - y);
    const Tensor bright = lightness(window_to_float(image, y, 0, rows, image.width));
    const Tensor chroma = options.strength * ab.crop(y, 0, rows, image.width);
    store_float(result, y, 0, lab_to_rgb(concat({bright, chroma})));
    if (image.has_alpha()) {
      store_alpha_float(result, y, 0, alpha_to_float(image, y, 0, rows, image.width));
    }
  }
  return result;
}

}  // namespace mend
