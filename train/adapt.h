// Restoring a picture by what it shows itself: no photographs, no weights.
//
// A small network learns from the one picture, until what it predicts of pixels that it never learned from
// gets no better.
//
//   inpaint   Some known pixels are hidden as the holes are, and the network learns to tell them from those
//             around them; then it tells those in the holes. (Prediction of hidden pixels, as in
//             Batson & Royer 2019, Noise2Self, arXiv:1901.11365, with the picture's own holes as masks.)
//   denoise   The same with no holes. White noise of a pixel cannot be told from its neighbours, so each
//             pixel's prediction is the picture without it (Noise2Self; Krull et al. 2019, Noise2Void,
//             arXiv:1811.10980).
//   upscale   The network learns to make the picture of the picture made small, and then enlarges the
//             picture itself (Shocher et al. 2018, Zero-Shot Super-Resolution, arXiv:1712.06087).
//
// The deep image prior (Ulyanov et al. 2018, arXiv:1711.10925) needs no known neighbours but thousands of
// passes over the whole picture; here minutes on a CPU are enough.
#pragma once

#include <cstdint>
#include <functional>

#include "restore/image.h"
#include "restore/tiled_network.h"

namespace mend {

struct AdaptProgress {
  std::int64_t steps = 0;
  double psnr = 0, best_psnr = 0;  ///< of the pixels that are held out, in dB
  double seconds = 0;
};

struct AdaptOptions {
  double seconds = 180;  ///< at most; it ends before where nothing more is gained
  std::int64_t most_steps = std::int64_t{1} << 40;
  std::uint64_t seed = 1;  ///< of the network's first numbers and of the patches
  TileOptions tiles;       ///< of the last pass; it learns on the first of its devices
  std::function<void(const AdaptProgress&)> progress;  ///< is told now and then; may be empty
};

struct Adapted {
  Image image;
  AdaptProgress learned;       ///< at the end
  bool stopped_early = false;  ///< because nothing more was gained, not for the time
};

/// The holes of `mask` (restore/mask.h) filled; every other pixel keeps its bits.
/// All throw UsageError if the picture is too small to learn from (16 pixels on a side, 32 to enlarge), or,
/// here, if there is no hole or too little around the holes; NumericError, Interrupted.
Adapted adapt_inpaint(const Image& image, const Image& mask, const AdaptOptions& options);

/// The picture without its noise.
Adapted adapt_denoise(const Image& image, const AdaptOptions& options);

/// The picture enlarged by 2, 3 or 4. Throws UsageError for another scale.
Adapted adapt_upscale(const Image& image, int scale, const AdaptOptions& options);

}  // namespace mend
