// How far a picture is from its reference, computed as the published tables are. Scores that need
// more than two pictures: restore/niqe.h, restore/lpips.h.
//
// All values are 8-bit integers first: a network's result is clipped and rounded when it is stored
// in an Image (leaving that out changes PSNR by up to 0.02 dB). 16-bit pictures are rounded to 8.
#pragma once

#include <array>
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

enum class SsimConvention {
  /// Gaussian window 11 x 11 of deviation 1.5, where it lies wholly inside. Wang's ssim_index.m
  /// without its downsampling, by which tables of restoration are made; also scikit-image's
  /// structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False), whose
  /// border rule (reflect, then crop 5 pixels) leaves the same windows.
  kMatlab,
  /// structural_similarity without options: uniform window 7 x 7, variances over 49 - 1 samples.
  kScikitImageDefaults,
};

/// Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13), 1 for equal pictures;
/// K1 = 0.01, K2 = 0.03, L = 255.
///
///   SSIM = (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2)),   C = (K·L)²
Score ssim(const Image& test, const Image& reference, const Protocol& protocol = {},
           SsimConvention convention = SsimConvention::kMatlab);

/// Multi-scale structural similarity (Wang, Simoncelli, Bovik 2003, eq. 7), 1 for equal pictures.
///
///   MS-SSIM = SSIM_5^w5 · Π_{j<5} cs_j^wj,   cs = (2 σxy + C2) / (σx² + σy² + C2)
///   w = 0.0448, 0.2856, 0.3001, 0.2363, 0.1333
///
/// cs_j and SSIM_5 are means over the windows of kMatlab at scale j; each scale is the one before in
/// means of 2 x 2 pixels, an odd last row or column mirrored (Wang's msssim.m; pytorch-msssim has
/// zeros there). Means below 0 count as 0, as in pytorch-msssim. Colours: the mean over channels.
/// Throws ShapeError below 161 x 161 pixels, where no window fits into the fifth scale.
Score ms_ssim(const Image& test, const Image& reference, const Protocol& protocol = {});

/// PSNR with the blocking effect factor (Yim, Bovik 2011) of the tested picture's 8 x 8 blocks added
/// to the MSE, for JPEG artifacts. One channel only: gray pictures, or kY.
Score psnr_b(const Image& test, const Image& reference, const Protocol& protocol = {});

enum class ColourDifference {
  kCie76,     ///< Euclidean distance in L*, a*, b*
  kCiede2000  ///< CIE 142-2001 with kL = kC = kH = 1
};

/// The mean over all pixels of the difference of colours, 0 for equal pictures; about 1 is just
/// noticeable. sRGB -> L*a*b* as rgb_to_lab does it (restore/lab.h). Gray pictures count as neutral
/// colours, so that a colourised picture can be compared with a gray one.
/// Throws UsageError with kY.
Score delta_e(const Image& test, const Image& reference, const Protocol& protocol = {},
              ColourDifference formula = ColourDifference::kCiede2000);

/// The CIEDE2000 difference of two colours L*, a*, b* (Sharma, Wu, Dalal 2005).
double ciede2000(const std::array<double, 3>& test, const std::array<double, 3>& reference);

}  // namespace mend
