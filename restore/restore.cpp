#include "restore/restore.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"
#include "engine/log.h"
#include "engine/parallel.h"
#include "layers/functions.h"
#include "restore/color.h"
#include "restore/imresize.h"

namespace mend {
namespace {

LumaRange range_of(Colour colour) {
  return colour == Colour::kLuma ? LumaRange::kLimited : LumaRange::kFull;
}

/// to = from · factor; gray into RGB is the one channel three times. Both may be the same.
void copy_scaled(const Tensor& from, float factor, const Tensor& to) {
  const View<const float> x = from.view<const float>();
  const View<float> y = to.view<float>();
  parallel_for(y.shape.h, [&](std::int64_t row, int) {
    const int h = static_cast<int>(row);
    for (int w = 0; w < y.shape.w; ++w) {
      const float* source = x.pixel(0, h, w);
      float* target = y.pixel(0, h, w);
      for (int c = 0; c < y.shape.c; ++c) target[c] = factor * source[std::min(c, x.shape.c - 1)];
    }
  });
}

/// The picture as the network wants to see it, window by window, and its way back.
class Exchange {
 public:
  Exchange(const Model& model, const Image& image, const RestoreOptions& options)
      : traits_(model.traits), image_(image), strength_(options.strength) {
    const int scale = output_scale(model, options);
    const bool keeps_something =
        image.has_alpha() || (traits_.picture_channels() == 1 && image.colour_channels() == 3);
    if (scale == 1) {
      canvas_ = image;
    } else if (keeps_something) {
      canvas_ = imresize(image, scale);
    } else {
      canvas_ = make_image_like(image, image.width * scale, image.height * scale, image.channels,
                                image.bits);
    }
    if (traits_.enlarge_first != 1) {
      // In f32: rounding the enlarged luma to 8 bits would cost the network some of its gain.
      const Tensor whole = window_to_float(image, 0, 0, image.height, image.width);
      enlarged_luma_ = imresize(luma(whole, range_of(traits_.colour)), scale);
    }
  }

  /// Extents of what the network reads.
  int height() const { return enlarged_luma_ ? enlarged_luma_.shape().h : image_.height; }
  int width() const { return enlarged_luma_ ? enlarged_luma_.shape().w : image_.width; }

  void read(const Rectangle& window, const Tensor& to) const {
    Tensor pixels = enlarged_luma_
                        ? enlarged_luma_.crop(window.y, window.x, window.h, window.w)
                        : window_to_float(image_, window.y, window.x, window.h, window.w);
    if (traits_.picture_channels() == 1) pixels = luma(pixels, range_of(traits_.colour));
    copy_scaled(pixels, traits_.white, to);
  }

  void write(const Rectangle& output, const Tensor& result) {
    Tensor pixels = result;
    if (traits_.white != 1.0f) {
      pixels = Tensor::empty(result.shape());
      copy_scaled(result, 1.0f / traits_.white, pixels);
    }
    const bool colour_picture = image_.colour_channels() == 3;
    const auto behind = [&] {
      return window_to_float(canvas_, output.y, output.x, output.h, output.w);
    };
    if (pixels.shape().c == 1 && colour_picture) {
      pixels = replace_luma(behind(), pixels, range_of(traits_.colour));
    } else if (pixels.shape().c == 3 && !colour_picture) {
      pixels = luma(pixels, LumaRange::kFull);
    }
    if (strength_ != 1.0f) pixels = strength_ * pixels + (1.0f - strength_) * behind();
    store_float(canvas_, output.y, output.x, pixels);
  }

  Image take() { return std::move(canvas_); }

 private:
  const Traits& traits_;
  const Image& image_;
  float strength_;
  Image canvas_;
  Tensor enlarged_luma_;
};

/// A picture too small for the network, with its last row and column repeated.
Image extended(const Image& image, int smallest) {
  Image larger = make_image_like(image, std::max(image.width, smallest),
                                 std::max(image.height, smallest), image.channels, image.bits);
  const std::size_t pixel = image.row_bytes() / static_cast<std::size_t>(image.width);
  for (int y = 0; y < larger.height; ++y) {
    const std::uint8_t* from = image.row(std::min(y, image.height - 1));
    for (int x = 0; x < larger.width; ++x) {
      std::copy_n(from + static_cast<std::size_t>(std::min(x, image.width - 1)) * pixel, pixel,
                  larger.row(y) + static_cast<std::size_t>(x) * pixel);
    }
  }
  return larger;
}

Image top_left(const Image& image, int height, int width) {
  Image part = make_image_like(image, width, height, image.channels, image.bits);
  for (int y = 0; y < height; ++y) std::copy_n(image.row(y), part.row_bytes(), part.row(y));
  return part;
}

/// Refuses networks that want more than a picture: a hole, Lab, a fixed size, a second camera.
void check_suits_pictures(const Model& model) {
  const Traits& traits = model.traits;
  const bool fills_holes =
      traits.condition == Condition::kMask || traits.condition == Condition::kKnownMask;
  const bool colours =
      traits.colour == Colour::kLightness || traits.colour == Colour::kGrayLightness;
  const bool reads_more =
      traits.condition == Condition::kNone && traits.input_channels != traits.picture_channels();
  if (!fills_holes && !colours && !reads_more && traits.working_size == 0 && traits.black == 0) {
    return;
  }
  throw UsageError(fmt::format(
      "{} cannot be run on a picture alone yet; `mend run --tensor-in` runs it on tensors",
      model.description));
}

void check(const Model& model, const RestoreOptions& options) {
  check_suits_pictures(model);
  if (options.strength < 0 || options.strength > 1) {
    throw UsageError(fmt::format("the strength is {}, but must be in 0..1", options.strength));
  }
  if (options.strength != 1 && model.traits.scale != 1) {
    throw UsageError(
        fmt::format("a strength only suits networks that keep the size; {} enlarges by {}",
                    model.description, model.traits.scale));
  }
}

}  // namespace

int output_scale(const Model& model, const RestoreOptions& options) {
  if (model.traits.enlarge_first == 1) return model.traits.scale;
  return model.traits.enlarge_first == 0 ? options.enlarge : model.traits.enlarge_first;
}

Image restore(const Model& model, const Image& image, const RestoreOptions& options,
              Tiling* tiling) {
  check(model, options);
  const int scale = output_scale(model, options);
  if (image.width < model.traits.smallest || image.height < model.traits.smallest) {
    const Image larger = extended(image, model.traits.smallest);
    return top_left(restore(model, larger, options, tiling), image.height * scale,
                    image.width * scale);
  }
  constexpr std::int64_t kLongestSide = (1 << 30) - 1;
  if (std::int64_t{std::max(image.width, image.height)} * scale > kLongestSide) {
    throw InputError(fmt::format("a {}x{} picture is too large to enlarge by {}", image.width,
                                 image.height, scale));
  }

  Exchange exchange(model, image, options);
  const Network network = [&](const std::vector<Tensor>& inputs) {
    return std::vector<Tensor>{
        model.forward(network_inputs(model, inputs[0], options.conditions)).front()};
  };
  TiledNetwork tiles(network, model.traits.picture_channels(), model.traits.overlap);
  const Tiling used = tiles.run(
      exchange.height(), exchange.width(), options.tiles,
      [&](const Rectangle& window, const Tensor& to) { exchange.read(window, to); },
      [&](const Rectangle& output, const Tensor& pixels) { exchange.write(output, pixels); });
  if (!used.whole() && !model.traits.tiles_change.empty()) {
    warn(
        fmt::format("tiles change this network's result: {}; --tile off and a larger --memory "
                    "avoid that",
                    model.traits.tiles_change));
  }
  if (tiling != nullptr) *tiling = used;
  return exchange.take();
}

}  // namespace mend
