// How far a picture is from its reference, computed as the published tables are.
//
// All values are 8-bit integers first: a network's result is clipped and rounded when it is stored
// in an Image (leaving that out changes PSNR by up to 0.02 dB). 16-bit pictures are rounded to 8.
#pragma once

#include <string>

#include "restore/image.h"

namespace mend {

enum class ScoredColours {
  kRgb,  ///< all channels together (PSNR) or their mean (SSIM); gray pictures their one channel
  /// BT.601 limited-range luma, 16..235, not rounded; a gray picture is taken to be luma already.
  kY,
};

struct Protocol {
  ScoredColours colours = ScoredColours::kRgb;
  int border = 0;  ///< pixels left out on every side: the scale, for super-resolution
};

struct Score {
  double value = 0;
  std::string protocol;  ///< "PSNR, Y (BT.601 limited), 8 bit, border 4, dB"
};

// All throw ShapeError if the pictures differ in size, if only one of them has colour (kRgb), or if
// too few pixels are left inside the border. Alpha is not looked at.

/// 10 log10(255² / MSE) in dB; infinite for equal pictures.
Score psnr(const Image& test, const Image& reference, const Protocol& protocol = {});

/// Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004), 1 for equal pictures: Gaussian
/// window 11 x 11 of deviation 1.5, where it lies wholly inside; K1 = 0.01, K2 = 0.03, L = 255.
Score ssim(const Image& test, const Image& reference, const Protocol& protocol = {});

/// PSNR with the blocking effect factor (Yim, Bovik 2011) of the tested picture's 8 x 8 blocks added
/// to the MSE, for JPEG artifacts. One channel only: gray pictures, or kY.
Score psnr_b(const Image& test, const Image& reference, const Protocol& protocol = {});

}  // namespace mend
