// Colours for a gray picture: the network sees its lightness and gives a* and b*.
//
//   picture ─┬─ resized to the working size ─ L* ─ network ─ a*b* ─ resized back ─┐
//            └──────────────────────────── its own L* ────────────────────────────┴─ picture
#pragma once

#include "models/network.h"
#include "restore/image.h"
#include "restore/tiled_network.h"

namespace mend {

struct ColorizeOptions {
  /// Memory, eager, progress; networks see the whole picture at their working size, never tiles.
  TileOptions run = {};
  /// 1 takes the network's colours, 0 none; between them paler ones.
  float strength = 1;
  /// A picture of the same extents, opaque where its colours are what the user wants there and
  /// transparent elsewhere; or null. For networks of Condition::kColourHints.
  const Image* hints = nullptr;
};

/// `image` in colour (RGB, with its alpha), with the lightness that it has. As the authors do it:
/// ECCV16 and SIGGRAPH17 on 256 x 256 pixels, resized by Pillow's bicubic, a*b* back by bilinear;
/// DDColor on 512 x 512 by OpenCV's bilinear, a*b* back by nearest.
/// Throws UsageError if the network gives no colours or takes no hints, OutOfMemory, NumericError.
Image colorize(const Model& model, const Image& image, const ColorizeOptions& options);

}  // namespace mend
