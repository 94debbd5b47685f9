// CIE L*a*b*: lightness apart from colour, as colorizing networks see a picture.
#pragma once

#include "engine/tensor.h"

namespace mend {

/// sRGB f32 [N,H,W,3] in [0,1] -> L*, a*, b* [N,H,W,3]; L* in [0,100], a* and b* in about ±110.
///
///   linear = v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055)^2.4
///   XYZ    = M · linear,  divided by the white (0.95047, 1, 1.08883): D65, 2° observer
///   f(t)   = t > 0.008856 ? t^(1/3) : 7.787 t + 16/116
///   L* = 116 f(Y) - 16,   a* = 500 (f(X) - f(Y)),   b* = 200 (f(Y) - f(Z))
///
/// Equals scikit-image's rgb2lab. OpenCV's white differs in the fifth digit.
/// Throws ShapeError unless there are 3 channels.
Tensor rgb_to_lab(const Tensor& rgb);

/// The inverse, clipped to [0,1]: not every L*, a*, b* is a colour of sRGB. scikit-image's lab2rgb.
Tensor lab_to_rgb(const Tensor& lab);

/// L* alone [N,H,W,1] of RGB [N,H,W,3] or of gray [N,H,W,1].
Tensor lightness(const Tensor& picture);

}  // namespace mend
