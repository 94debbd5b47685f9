// MATLAB's imresize(I, scale, 'bicubic'): what made the low-resolution images of all "classical"
// super-resolution benchmarks, and the baseline of their tables. OpenCV, Pillow and PyTorch differ.
//
//   k(x) =  1.5|x|³ - 2.5|x|² + 1           |x| <= 1      (Keys 1981, a = -0.5)
//        = -0.5|x|³ + 2.5|x|² - 4|x| + 2    1 < |x| <= 2
//
// Output pixel i (from 1) of ceil(scale·n) looks at u = i/scale + (1 - 1/scale)/2 of the input.
// A scale below 1 widens the kernel to scale·k(scale·x), against aliasing. Weights are normalised
// to sum 1; beyond the border the picture is mirrored with its edge pixel repeated. The direction
// with the smaller scale is done first, rows on a tie.
#pragma once

#include "engine/tensor.h"
#include "restore/image.h"

namespace mend {

/// Integers are rounded (halves up) and clipped after each of the two directions, as MATLAB does:
/// without that, a tenth of the pixels is off by one. All channels alike, alpha too.
/// Throws UsageError if the scale is below 1e-6 or the result above 2^31 - 1 pixels a side.
Image imresize(const Image& image, double scale);

/// To exactly height x width pixels; scales are their quotients.
Image imresize(const Image& image, int height, int width);

/// f32 [1,H,W,C], neither rounded nor clipped.
Tensor imresize(const Tensor& x, double scale);

}  // namespace mend
