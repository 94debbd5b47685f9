// A photo in, a photo out: the main job.
//
//   Image ── window of a tile ── colours the network wants ── network ── colours back ── Image
//
// What the network does not make stays: alpha and chroma are kept, or enlarged by bicubic.
// Networks that want more have rooms of their own: colorize.h, inpaint.h.
#pragma once

#include <memory>
#include <utility>

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

/// Restores pictures with one network. Pictures of one size that the network is told the same about share its plans:
/// weights are packed once, nothing is allocated from the second on, and on a GPU they replay one graph.
class Restorer {
 public:
  explicit Restorer(Model model) : model_(std::move(model)) {}
  Restorer(const Restorer&) = delete;
  Restorer& operator=(const Restorer&) = delete;

  const Model& model() const { return model_; }
  /// As the function of that name below, with the same bits.
  Image restore(const Image& image, const RestoreOptions& options, RestoreReport* report = nullptr);

 private:
  struct Kept;
  /// The network with these conditions for a picture of height x width; that of the last picture where it suits.
  TiledNetwork& network_for(const Conditions& conditions, int height, int width,
                            Precision precision);

  Model model_;
  std::shared_ptr<Kept> kept_;
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
