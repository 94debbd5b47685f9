// A photo in, a photo out: the main job.
//
//   Image ── window of a tile ── colours the network wants ── network ── colours back ── Image
//
// What the network does not make stays: alpha and chroma are kept, or enlarged by bicubic.
// Networks that want more have rooms of their own: colorize.h, inpaint.h.
#pragma once

#include "models/network.h"
#include "restore/image.h"
#include "restore/tiled_network.h"

namespace mend {

struct RestoreOptions {
  TileOptions tiles;
  Conditions conditions;
  /// For networks that must be told the noise: measure it (noise_level.h) instead of taking
  /// conditions.sigma.
  bool measure_noise = false;
  /// For networks that may be told the JPEG quality: take the file's own (Image::jpeg_quality), if
  /// it was a JPEG, instead of conditions.quality.
  bool quality_of_file = false;
  /// For networks that sharpen an enlarged picture (Traits::enlarge_first 0): the factor.
  int enlarge = 1;
  /// 0 keeps the picture, 1 takes the network's result, between them they are mixed. Only for
  /// networks that keep the size.
  float strength = 1.0f;
};

/// What was done, beyond what was asked.
struct RestoreReport {
  Tiling tiling;
  float sigma = 0;    ///< what the network was told, in units of full brightness; 0: nothing
  float quality = 0;  ///< likewise, or what it found itself before tiles were cut; 0: nothing
};

/// The picture that `model` makes of `image`; bits, ICC profile and EXIF are the image's, gray stays
/// gray, alpha stays. A blind JPEG network sees the whole picture once, or 512 x 512 pixels of its
/// middle if it must be cut into tiles, and then tells all tiles the same quality.
/// Throws UsageError if the options do not suit the network or it wants more than a picture,
/// OutOfMemory, NumericError.
Image restore(const Model& model, const Image& image, const RestoreOptions& options,
              RestoreReport* report = nullptr);

/// How many output pixels per input pixel `restore` will make along each axis.
int output_scale(const Model& model, const RestoreOptions& options);

}  // namespace mend
