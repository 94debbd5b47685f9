// A photo in, a photo out: the main job.
//
//   Image ── window of a tile ── colours the network wants ── network ── colours back ── Image
//
// What the network does not make stays: alpha and chroma are kept, or enlarged by bicubic.
#pragma once

#include "models/network.h"
#include "restore/image.h"
#include "restore/tiled_network.h"

namespace mend {

struct RestoreOptions {
  TileOptions tiles;
  Conditions conditions;
  /// For networks that sharpen an enlarged picture (Traits::enlarge_first 0): the factor.
  int enlarge = 1;
  /// 0 keeps the picture, 1 takes the network's result, between them they are mixed. Only for
  /// networks that keep the size.
  float strength = 1.0f;
};

/// The picture that `model` makes of `image`; bits, ICC profile and EXIF are the image's, gray stays
/// gray, alpha stays. `tiling`, if given, is told how it was cut.
/// Throws UsageError if the options do not suit the network, OutOfMemory, NumericError.
Image restore(const Model& model, const Image& image, const RestoreOptions& options,
              Tiling* tiling = nullptr);

/// How many output pixels per input pixel `restore` will make along each axis.
int output_scale(const Model& model, const RestoreOptions& options);

}  // namespace mend
