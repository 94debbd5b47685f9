// Where a face is, and its way to the pose that face networks were trained on and back.
//
// The pose is FFHQ's at 512 x 512 pixels as facexlib gives it; GFPGAN and CodeFormer know no other.
#pragma once

#include <array>

#include "engine/tensor.h"
#include "restore/tiles.h"

namespace mend {

/// In pixels, x to the right and y downwards; (0,0) is the centre of the first pixel.
struct Point {
  double x = 0, y = 0;
};

/// Both eyes, the tip of the nose and both corners of the mouth; those on the left of the picture
/// first.
using FacePoints = std::array<Point, 5>;

/// Rotation, uniform scale and shift: (x, y) -> (a·x − b·y + x0, b·x + a·y + y0)
struct Similarity {
  double a = 1, b = 0, x0 = 0, y0 = 0;

  Point operator()(Point p) const { return {a * p.x - b * p.y + x0, b * p.x + a * p.y + y0}; }
  Similarity inverse() const;
  /// First this, then `next`.
  Similarity then(const Similarity& next) const;
};

/// Where the points of an aligned face of size x size pixels are: facexlib's template for 512.
FacePoints face_template(int size);

/// The similarity that brings `from` to `to` with the least sum of squared distances (Umeyama 1991,
/// for the plane and without reflections). facexlib takes the least median of squares by OpenCV,
/// which ignores a point that is far off; for five points that fit both are the same.
/// Throws UsageError if the points are not finite, or so close together that they tell no direction.
Similarity fit_similarity(const FacePoints& from, const FacePoints& to);

/// x [1,H,W,C] under `transform`, of which rows and columns of `window` are made -> [1,h,w,C].
/// Bilinear; outside of x all pixels are `border` (C numbers). OpenCV's warpAffine rounds positions
/// to 1/32 of a pixel, this does not.
Tensor warp(const Tensor& x, const Similarity& transform, const Rectangle& window,
            const std::vector<float>& border);

/// The pixels of a height x width picture that a size x size square reaches under `transform`, and
/// two more around them; h or w is 0 if there are none.
Rectangle reached(const Similarity& transform, int size, int height, int width);

/// How much of each pixel is the pasted face: 1 inside, falling to 0 towards the edge, [1,h,w,1].
struct PasteMask {
  Tensor face;  ///< the square, one pixel smaller: what of the warped face can be used
  Tensor soft;  ///< the same, eroded by a 20th of the face's side and blurred as far
};

/// The mask of facexlib's paste without a parsing network, for the pixels of `window`, which must
/// hold all that `reached` says. `transform` goes from the face to the picture.
PasteMask paste_mask(const Similarity& transform, int size, const Rectangle& window);

}  // namespace mend
