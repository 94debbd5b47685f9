#include "restore/inpaint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "engine/error.h"
#include "engine/log.h"
#include "layers/functions.h"
#include "restore/exchange.h"
#include "restore/mask.h"

namespace mend {
namespace {

/// What the network looks at: a window of the picture, resized to h x w pixels.
struct Look {
  Rectangle window;
  int h = 0, w = 0;
  bool resized() const { return h != window.h || w != window.w; }
};

/// The network as a function of one tensor [1,h,w,C+1], the picture and the mask side by side.
TiledNetwork network_of(const Model& model) {
  const int channels = model.traits.picture_channels();
  const Network network = [&model, channels](const std::vector<Tensor>& inputs) {
    Conditions conditions;
    conditions.mask = slice_channels(inputs[0], channels, 1);
    const Tensor picture = slice_channels(inputs[0], 0, channels);
    return std::vector<Tensor>{model.forward(network_inputs(model, picture, conditions)).front()};
  };
  return TiledNetwork({.network = network, .channels = channels + 1});
}

/// Puts a window of the picture, [1,h,w,1 or 3] in 0..1, and its mask into what network_of() takes.
void give(const Tensor& seen, const Tensor& hole, const Traits& traits, const Tensor& to) {
  const int channels = traits.picture_channels();
  to_network(seen, traits, to.channels(0, channels));
  const View<const float> from = hole.view<const float>();
  const View<float> last = to.channels(channels, 1).view<float>();
  for (int y = 0; y < from.shape.h; ++y)
    for (int x = 0; x < from.shape.w; ++x) last(0, y, x, 0) = from(0, y, x, 0);
}

/// `inner` and `margin` pixels around it, as far as there are any.
Rectangle surroundings(const Rectangle& inner, int margin, const Image& image) {
  const int top = std::max(inner.y - margin, 0), left = std::max(inner.x - margin, 0);
  const int bottom = std::min<int>(inner.y + inner.h + margin, image.height);
  const int right = std::min<int>(inner.x + inner.w + margin, image.width);
  return {top, left, bottom - top, right - left};
}

/// `extent` pixels with the middle of [start, start + inner), moved into [0, limit).
int centred(int start, int inner, int extent, int limit) {
  return std::clamp(start + (inner - extent) / 2, 0, limit - extent);
}

/// A square around the holes, or as near to one as the picture allows.
Look look_of_fixed_size(const Rectangle& holes, const Image& image, int size) {
  constexpr int kLeastContext = 128;  // pixels to each side, as in MI-GAN's published pipeline
  const int longest = std::max(holes.h, holes.w);
  const int wanted = std::max(size, longest + 2 * std::max(kLeastContext, longest / 2));
  const int side = std::min(wanted, std::max(std::min(image.height, image.width), longest));
  const int h = std::min(side, image.height), w = std::min(side, image.width);
  return {
      {centred(holes.y, holes.h, h, image.height), centred(holes.x, holes.w, w, image.width), h, w},
      size,
      size};
}

/// The most that options.memory_bytes allows.
Look look_of_any_size(const Rectangle& holes, const Image& image, const Traits& traits,
                      const TileOptions& options, TiledNetwork& network) {
  TileOptions at_once = options;
  at_once.mode = TileOptions::Mode::kOff;
  const auto bytes_for = [&](int h, int w) {
    const Tiling tiling = network.choose(h, w, at_once);
    return tiling.arena_bytes + tiling.constant_bytes;
  };
  const auto fits = [&](int h, int w) { return bytes_for(h, w) <= options.memory_bytes; };
  const auto at_least = [&](double extent) {
    return std::max(static_cast<int>(std::lround(extent)), traits.smallest);
  };
  const Rectangle whole{0, 0, image.height, image.width};
  const int height = at_least(image.height), width = at_least(image.width);
  if (options.mode == TileOptions::Mode::kOff || fits(height, width)) {
    return {whole, height, width};
  }
  const int least_margin = std::max(64, std::max(holes.h, holes.w) / 2);
  Rectangle window = whole;
  for (int margin = std::max(image.height, image.width);; margin = margin * 3 / 4) {
    window = surroundings(holes, std::max(margin, least_margin), image);
    if (fits(at_least(window.h), at_least(window.w))) {
      warn(fmt::format(
          "the network sees {}x{} pixels around the holes, not the whole picture, which would take "
          "--memory {}M",
          window.w, window.h, bytes_for(height, width) / 1'000'000 + 1));
      return {window, at_least(window.h), at_least(window.w)};
    }
    if (margin <= least_margin) break;
  }
  for (double scale = 0.9; scale > 0.02; scale *= 0.9) {
    const int h = at_least(window.h * scale), w = at_least(window.w * scale);
    if (!fits(h, w)) continue;
    warn(
        fmt::format("the surroundings of the holes, {}x{} pixels, are reduced to {}x{} to keep to "
                    "--memory, and "
                    "what is filled in is enlarged again; raise it for a sharper result",
                    window.w, window.h, w, h));
    return {window, h, w};
  }
  throw OutOfMemory(
      fmt::format("filling {}x{} pixels takes more than --memory, however reduced; "
                  "raise it",
                  holes.w, holes.h));
}

/// 1 wherever a hole touches the pixel of the smaller or larger mask.
Tensor resized_mask(const Tensor& mask, int h, int w) {
  const Tensor shares = resized(mask, h, w, ResampleMode::kArea, false);
  const Tensor result = Tensor::empty(shares.shape());
  const View<const float> from = shares.view<const float>();
  const View<float> to = result.view<float>();
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) to(0, y, x, 0) = from(0, y, x, 0) > 0 ? 1.0f : 0.0f;
  return result;
}

/// What the network makes of the window, [1,window.h,window.w,C] in 0..1.
Tensor filled(const Model& model, const Image& image, const Image& mask, const Look& look,
              const TileOptions& options, TiledNetwork& network) {
  const Rectangle& window = look.window;
  const Tensor seen = resized(window_to_float(image, window.y, window.x, window.h, window.w),
                              look.h, look.w, ResampleMode::kBilinear, true);
  const Tensor hole = resized_mask(mask_window(mask, window), look.h, look.w);
  TileOptions at_once = options;
  at_once.mode = TileOptions::Mode::kOff;
  Tensor result;
  network.run(
      look.h, look.w, at_once,
      [&](const Rectangle&, const Tensor& to) { give(seen, hole, model.traits, to); },
      [&](const Rectangle&, const Tensor& pixels) { result = pixels.clone(); });
  return resized(from_network(result, model.traits), window.h, window.w, ResampleMode::kBicubic,
                 true);
}

/// Writes the hole pixels of `window` into `image`, a row at a time.
void paste(const Tensor& pixels, const Image& mask, const Rectangle& window, Image& image) {
  const Tensor matching = image.colour_channels() == 1 ? luma(pixels, LumaRange::kFull) : pixels;
  for (int y = 0; y < window.h; ++y) {
    const Tensor row = window_to_float(image, window.y + y, window.x, 1, window.w);
    const Tensor alpha = alpha_to_float(image, window.y + y, window.x, 1, window.w);
    const View<const float> from = matching.view<const float>();
    const View<float> colour = row.view<float>(), opacity = alpha.view<float>();
    const std::uint8_t* hole = mask.row(window.y + y) + window.x;
    for (int x = 0; x < window.w; ++x) {
      if (hole[x] == 0) continue;
      for (int c = 0; c < colour.shape.c; ++c) {
        colour(0, 0, x, c) = from(0, y, x, std::min(c, from.shape.c - 1));
      }
      opacity(0, 0, x, 0) = 1;
    }
    store_float(image, window.y + y, window.x, row);
    if (image.has_alpha()) store_alpha_float(image, window.y + y, window.x, alpha);
  }
}

/// Whether what lies near a hole decides what comes into it, so that tiles give what the whole picture
/// would; and the picture is large enough for the network as it is.
bool looks_nearby(const Traits& traits, const Image& image) {
  return traits.tile_policy != TilePolicy::kWholeImage && traits.working_size == 0 &&
         std::min(image.height, image.width) >= traits.smallest;
}

/// The holes and all around them that such a network sees, on the grid of its strides: it fills them in
/// this window as in the whole picture.
Rectangle seen_around(const Rectangle& holes, const Image& image, const Traits& traits,
                      TiledNetwork& network) {
  constexpr int kAnyTile = 64;  // where it is cut does not change what it sees
  TileOptions traced;
  traced.mode = TileOptions::Mode::kFixed;
  traced.size = kAnyTile;
  const Tiling tiling = network.choose(image.height, image.width, traced);
  const int radius = static_cast<int>(std::ceil(tiling.footprint.radius));
  Rectangle window = surroundings(holes, std::max(radius, traits.smallest), image);
  const int up = window.y % tiling.cut.grid, left = window.x % tiling.cut.grid;
  return {window.y - up, window.x - left, window.h + up, window.w + left};
}

/// Fills the holes of `result`, which is `image` still, tile by tile if memory asks for it.
void fill_by_tiles(const Model& model, const Image& image, const Image& mask,
                   const Rectangle& holes, const TileOptions& options, TiledNetwork& network,
                   Image& result) {
  const Rectangle window = seen_around(holes, image, model.traits, network);
  const auto in_picture = [&](const Rectangle& tile) {
    return Rectangle{window.y + tile.y, window.x + tile.x, tile.h, tile.w};
  };
  detail(fmt::format("holes in {}x{} pixels; the network sees {}x{} of the picture", holes.w,
                     holes.h, window.w, window.h));
  network.run(
      window.h, window.w, options,
      [&](const Rectangle& tile, const Tensor& to) {
        const Rectangle part = in_picture(tile);
        give(window_to_float(image, part.y, part.x, part.h, part.w), mask_window(mask, part),
             model.traits, to);
      },
      [&](const Rectangle& tile, const Tensor& pixels) {
        paste(from_network(pixels, model.traits), mask, in_picture(tile), result);
      });
}

void check(const Model& model, const Image& image, const Image& mask) {
  if (!model.traits.fills_holes()) {
    throw UsageError(
        fmt::format("{} fills no holes; take one that is made for inpaint", model.description));
  }
  if (mask.width != image.width || mask.height != image.height) {
    throw UsageError(fmt::format("the mask has {}x{} pixels, the picture {}x{}; they must agree",
                                 mask.width, mask.height, image.width, image.height));
  }
}

}  // namespace

Image inpaint(const Model& model, const Image& image, const Image& mask,
              const TileOptions& options) {
  check(model, image, mask);
  check_f32(options, "inpaint");
  Image result = image;
  const Rectangle holes = bounds_of_holes(mask);
  if (holes.h == 0) {
    warn("the mask has no hole; the picture stays as it is");
    return result;
  }
  const Traits& traits = model.traits;
  TiledNetwork network = network_of(model);
  if (looks_nearby(traits, image)) {
    fill_by_tiles(model, image, mask, holes, options, network, result);
    return result;
  }
  if (options.mode == TileOptions::Mode::kFixed) {
    warn(
        "this network looks at everything at once and is not cut into tiles; --memory limits what "
        "it "
        "sees");
  }
  const Look look = traits.working_size > 0
                        ? look_of_fixed_size(holes, image, traits.working_size)
                        : look_of_any_size(holes, image, traits, options, network);
  detail(fmt::format("holes in {}x{} pixels; the network sees {}x{} of the picture as {}x{}",
                     holes.w, holes.h, look.window.w, look.window.h, look.w, look.h));
  paste(filled(model, image, mask, look, options, network), mask, look.window, result);
  return result;
}

Canvas extended_canvas(const Image& image, const Borders& borders) {
  const auto [left, top, right, bottom] = borders;
  if (std::min({left, top, right, bottom}) < 0 || std::max({left, top, right, bottom}) == 0) {
    throw UsageError(fmt::format("a picture cannot be extended by {},{},{},{} pixels", left, top,
                                 right, bottom));
  }
  constexpr std::int64_t kMostPixels = 400'000'000;  // as for files that are read
  const std::int64_t width = std::int64_t{image.width} + left + right;
  const std::int64_t height = std::int64_t{image.height} + top + bottom;
  if (width > kMostPixels / height) {
    throw UsageError(
        fmt::format("extended, the picture would have {}x{} pixels; the limit is {} "
                    "megapixels",
                    width, height, kMostPixels / 1'000'000));
  }
  Canvas canvas{make_image_like(image, static_cast<int>(width), static_cast<int>(height),
                                image.channels, image.bits),
                empty_mask(static_cast<int>(width), static_cast<int>(height))};
  add_hole(canvas.mask, {0, 0, canvas.mask.height, canvas.mask.width});
  const std::size_t pixel = image.row_bytes() / static_cast<std::size_t>(image.width);
  for (int y = 0; y < image.height; ++y) {
    std::copy_n(image.row(y), image.row_bytes(),
                canvas.picture.row(top + y) + static_cast<std::size_t>(left) * pixel);
    std::fill_n(canvas.mask.row(top + y) + left, image.width, std::uint8_t{0});
  }
  return canvas;
}

}  // namespace mend
