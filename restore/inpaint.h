// Filling holes, and growing a picture beyond its borders.
//
//   picture ─┬─ window around the holes ─ network ─ hole pixels ─┐
//            └──────────── known pixels, bit for bit ────────────┴─ picture
#pragma once

#include "models/network.h"
#include "restore/image.h"
#include "restore/tiled_network.h"

namespace mend {

/// `image` with its holes filled by `model`; every pixel that is no hole keeps its bits. Filled
/// pixels are opaque. mask: restore/mask.h, of the picture's extents.
///
/// A network that looks nearby (DRUNet) sees the holes and as much around them as its receptive field
/// reaches, in tiles if options ask for it or memory does: what it fills in is what it would in the whole
/// picture. Others look at everything at once, and holes are never cut into tiles for them: one of any
/// size sees the whole picture if it fits options.memory_bytes (always with
/// TileOptions::kOff), else the surroundings of the holes, in full size if that fits, else reduced;
/// a warning says so. A network of one size (MI-GAN) sees a square around the holes with half as
/// much again on each side, at least 128 pixels, resized to its size.
/// Throws UsageError if the network fills no holes or the extents differ, OutOfMemory, NumericError.
Image inpaint(const Model& model, const Image& image, const Image& mask,
              const TileOptions& options);

/// Pixels to add on each side.
struct Borders {
  int left = 0, top = 0, right = 0, bottom = 0;
};

/// A larger picture around `image`, and a mask whose hole is all that was added.
struct Canvas {
  Image picture, mask;
};

/// Throws UsageError if nothing is added, a border is negative or the result is absurdly large.
Canvas extended_canvas(const Image& image, const Borders& borders);

}  // namespace mend
