#include "restore/restore.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.h"
#include "engine/log.h"
#include "layers/functions.h"
#include "restore/color.h"
#include "restore/exchange.h"
#include "restore/face.h"
#include "restore/face_detector.h"
#include "restore/imresize.h"
#include "restore/noise_level.h"

namespace mend {
namespace {

/// The picture as the network wants to see it, window by window, and its way back.
class Exchange {
 public:
  Exchange(const Model& model, const Image& image, const RestoreOptions& options)
      : traits_(model.traits),
        image_(image),
        scale_(output_scale(model, options)),
        strength_(options.strength) {
    start_over();
    if (traits_.enlarge_first != 1) {
      // In f32: rounding the enlarged luma to 8 bits would cost the network some of its gain.
      const Tensor whole = window_to_float(image, 0, 0, image.height, image.width);
      enlarged_luma_ = imresize(luma(whole, luma_range(traits_)), scale_);
    }
  }

  /// Forgets what was written: a canvas with results would be mixed in again.
  void start_over() {
    const bool keeps_something =
        image_.has_alpha() || (traits_.picture_channels() == 1 && image_.colour_channels() == 3);
    if (scale_ == 1) {
      canvas_ = image_;
    } else if (keeps_something) {
      canvas_ = imresize(image_, scale_);
    } else {
      canvas_ = make_image_like(image_, image_.width * scale_, image_.height * scale_,
                                image_.channels, image_.bits);
    }
  }

  /// Extents of what the network reads.
  int height() const { return enlarged_luma_ ? enlarged_luma_.shape().h : image_.height; }
  int width() const { return enlarged_luma_ ? enlarged_luma_.shape().w : image_.width; }

  void read(const Rectangle& window, const Tensor& to) const {
    for_each_band(window, [&](const Rectangle& band) {
      read_band(band, to.crop(band.y - window.y, 0, band.h, band.w));
    });
  }

  void write(const Rectangle& output, const Tensor& result) {
    for_each_band(output, [&](const Rectangle& band) {
      write_band(band, result.crop(band.y - output.y, 0, band.h, band.w));
    });
  }

  Image take() { return std::move(canvas_); }

 private:
  /// Pixels pass through f32 copies on their way; of a whole picture enlarged by 4 those would be as
  /// large as the network's features.
  template <class Body>
  static void for_each_band(const Rectangle& all, const Body& body) {
    constexpr int kRows = 64;
    for (int y = 0; y < all.h; y += kRows) {
      body(Rectangle{all.y + y, all.x, std::min(kRows, all.h - y), all.w});
    }
  }

  void read_band(const Rectangle& window, const Tensor& to) const {
    const Tensor pixels = enlarged_luma_
                              ? enlarged_luma_.crop(window.y, window.x, window.h, window.w)
                              : window_to_float(image_, window.y, window.x, window.h, window.w);
    to_network(pixels, traits_, to);
  }

  void write_band(const Rectangle& output, const Tensor& result) {
    Tensor pixels = from_network(result, traits_);
    const bool colour_picture = image_.colour_channels() == 3;
    const auto behind = [&] {
      return window_to_float(canvas_, output.y, output.x, output.h, output.w);
    };
    if (pixels.shape().c == 1 && colour_picture) {
      pixels = replace_luma(behind(), pixels, luma_range(traits_));
    } else if (pixels.shape().c == 3 && !colour_picture) {
      pixels = luma(pixels, LumaRange::kFull);
    }
    if (strength_ != 1.0f) pixels = strength_ * pixels + (1.0f - strength_) * behind();
    store_float(canvas_, output.y, output.x, pixels);
  }

  const Traits& traits_;
  const Image& image_;
  int scale_;
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

/// Refuses networks that want more than a picture, and says what runs them.
void check_suits_pictures(const Model& model) {
  const Traits& traits = model.traits;
  const bool reads_more =
      traits.condition == Condition::kNone && traits.input_channels != traits.picture_channels();
  std::string instead;
  if (reads_more) {
    instead = fmt::format("reads {} channels; `mend run --tensor-in` runs it on tensors",
                          traits.input_channels);
  } else if (traits.fills_holes()) {
    instead = "fills holes; `mend inpaint` and `mend outpaint` tell it where they are";
  } else if (traits.gives_colours()) {
    instead = "gives colours to gray pictures; `mend colorize` runs it";
  } else if (is_face_network(model)) {
    instead = "restores faces; `mend face` runs it";
  } else if (is_face_detector(model)) {
    instead = "finds faces; `mend face --detector` takes it";
  } else if (traits.working_size > 0) {
    instead = fmt::format("takes pictures of {0}x{0} pixels; `mend run --tensor-in` runs it",
                          traits.working_size);
  } else {
    return;
  }
  throw UsageError(fmt::format("{} {}", model.description, instead));
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

/// A window in the middle of height x width pixels.
Rectangle middle(int height, int width, int side) {
  const int h = std::min(height, side), w = std::min(width, side);
  return {(height - h) / 2, (width - w) / 2, h, w};
}

/// What the network will be told, with what is measured or read off the file.
Conditions conditions_of(const Model& model, const Image& image, const RestoreOptions& options) {
  constexpr int kMeasuredSide = 1024;
  const Traits& traits = model.traits;
  Conditions conditions = options.conditions;
  if (traits.takes_sigma() && options.measure_noise) {
    const Rectangle window = middle(image.height, image.width, kMeasuredSide);
    Tensor picture = window_to_float(image, window.y, window.x, window.h, window.w);
    if (traits.picture_channels() == 1) picture = luma(picture, luma_range(traits));
    conditions.sigma = noise_level(picture);
    detail(fmt::format("the noise was measured: a standard deviation of {:.1f} grey levels",
                       255 * conditions.sigma));
  }
  if (traits.condition == Condition::kQuality && options.quality_of_file &&
      image.jpeg_quality > 0) {
    conditions.quality = static_cast<float>(image.jpeg_quality);
  }
  return conditions;
}

bool is_blind(const Model& model, const Conditions& conditions) {
  return model.traits.condition == Condition::kQuality && conditions.quality <= 0;
}

/// The JPEG quality that a blind network finds in the middle of the picture.
float found_quality(const Model& model, const Exchange& exchange) {
  constexpr int kSeenSide = 512;
  const Rectangle window = middle(exchange.height(), exchange.width(), kSeenSide);
  const Tensor x = Tensor::empty({1, window.h, window.w, model.traits.picture_channels()});
  exchange.read(window, x);
  const Tensor badness = model.forward({x}).at(1);  // 1 - quality/100, as its second output
  const float quality = 100 * (1 - badness.view<const float>()(0, 0, 0, 0));
  detail(fmt::format("the JPEG quality, found in {}x{} pixels of the middle: {:.1f}", window.w,
                     window.h, quality));
  return std::clamp(quality, 1.0f, 100.0f);
}

}  // namespace

int output_scale(const Model& model, const RestoreOptions& options) {
  if (model.traits.enlarge_first == 1) return model.traits.scale;
  return model.traits.enlarge_first == 0 ? options.enlarge : model.traits.enlarge_first;
}

/// A network that was told something, and for which pictures it has plans.
struct Restorer::Kept {
  Conditions conditions;
  int height, width;
  std::unique_ptr<TiledNetwork> network = nullptr;  // reads `conditions`
};

TiledNetwork& Restorer::network_for(const Conditions& conditions, int height, int width,
                                    Precision precision) {
  const auto suits = [&](const Kept& kept) {
    return kept.height == height && kept.width == width &&
           kept.conditions.sigma == conditions.sigma && kept.conditions.blur == conditions.blur &&
           kept.conditions.quality == conditions.quality;
  };
  // The codes of 8-bit integers are those of one picture; masks and hints lie on one.
  const bool is_of_picture =
      precision == Precision::kInt8 || conditions.mask || conditions.colour_hints;
  if (kept_ != nullptr && !is_of_picture && suits(*kept_)) return *kept_->network;
  kept_.reset();  // its memory first
  kept_ = std::make_shared<Kept>(Kept{conditions, height, width});
  const auto of_picture = [this](const Network& forward) {
    return [this, kept = kept_.get(), forward](const std::vector<Tensor>& inputs) {
      return std::vector<Tensor>{
          forward(network_inputs(model_, inputs[0], kept->conditions)).front()};
    };
  };
  TileableNetwork network = {.network = of_picture(model_.forward),
                             .channels = model_.traits.picture_channels(),
                             .overlap = model_.traits.overlap,
                             .narrow_type = model_.traits.narrow_type};
  if (model_.local.forward) {
    network.local = of_picture(model_.local.forward);
    network.local_name = model_.local.name;
  }
  kept_->network = std::make_unique<TiledNetwork>(std::move(network));
  return *kept_->network;
}

Image Restorer::restore(const Image& image, const RestoreOptions& options, RestoreReport* report) {
  check(model_, options);
  const int scale = output_scale(model_, options);
  if (image.width < model_.traits.smallest || image.height < model_.traits.smallest) {
    const Image larger = extended(image, model_.traits.smallest);
    return top_left(restore(larger, options, report), image.height * scale, image.width * scale);
  }
  constexpr std::int64_t kLongestSide = (1 << 30) - 1;
  if (std::int64_t{std::max(image.width, image.height)} * scale > kLongestSide) {
    throw InputError(fmt::format("a {}x{} picture is too large to enlarge by {}", image.width,
                                 image.height, scale));
  }

  Exchange exchange(model_, image, options);
  Conditions conditions = conditions_of(model_, image, options);
  TileOptions tile_options = options.tiles;
  tile_options.start_over = [&] { exchange.start_over(); };
  const auto network = [&]() -> TiledNetwork& {
    return network_for(conditions, exchange.height(), exchange.width(), tile_options.precision);
  };
  if (is_blind(model_, conditions) &&
      !network().choose(exchange.height(), exchange.width(), tile_options).whole()) {
    conditions.quality = found_quality(model_, exchange);
  }
  const Tiling used = network().run(
      exchange.height(), exchange.width(), tile_options,
      [&](const Rectangle& window, const Tensor& to) { exchange.read(window, to); },
      [&](const Rectangle& output, const Tensor& pixels) { exchange.write(output, pixels); });
  if (!used.whole() && !model_.traits.tiles_change.empty()) {
    warn(
        fmt::format("tiles change this network's result: {}; --tile off and a larger --memory "
                    "avoid that",
                    model_.traits.tiles_change));
  }
  if (report != nullptr) *report = {used, conditions.sigma, conditions.quality};
  return exchange.take();
}

Image restore(const Model& model, const Image& image, const RestoreOptions& options,
              RestoreReport* report) {
  return Restorer(model).restore(image, options, report);
}

}  // namespace mend
