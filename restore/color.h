// Luma and chroma (ITU-R BT.601), and gray networks on colour pictures.
#pragma once

#include "engine/tensor.h"

namespace mend {

/// Where black, white and full chroma lie. All values are divided by 255, so they are in [0,1].
///   kLimited: Y in 16..235, Cb and Cr in 16..240. Super-resolution networks, metrics, MATLAB.
///   kFull:    all in 0..255. JPEG's own; keeps the noise level of a gray denoiser.
enum class LumaRange { kLimited, kFull };

/// RGB f32 [N,H,W,3] in [0,1] -> Y, Cb, Cr [N,H,W,3]. With kLimited and R, G, B in 0..255:
///   Y  =  16 + ( 65.481 R + 128.553 G +  24.966 B) / 255
///   Cb = 128 + (-37.797 R -  74.203 G + 112     B) / 255
///   Cr = 128 + (112     R -  93.786 G -  18.214 B) / 255
Tensor rgb_to_ycbcr(const Tensor& rgb, LumaRange range = LumaRange::kLimited);

/// The exact inverse; not clipped.
Tensor ycbcr_to_rgb(const Tensor& ycbcr, LumaRange range = LumaRange::kLimited);

/// RGB [N,H,W,3] -> Y alone [N,H,W,1]; gray [N,H,W,1] is its own luma and is returned as it is.
Tensor luma(const Tensor& rgb, LumaRange range = LumaRange::kLimited);

/// The colours of `rgb` [N,H,W,3] with the luma `y` [N,H,W,1]: what a gray network made of a colour
/// picture. Not clipped. Throws ShapeError if the extents differ.
Tensor replace_luma(const Tensor& rgb, const Tensor& y, LumaRange range = LumaRange::kLimited);

}  // namespace mend
