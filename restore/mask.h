// Where the holes of a picture are.
#pragma once

#include <string>

#include "restore/image.h"
#include "restore/tiles.h"

namespace mend {

/// A mask is an 8-bit gray image of the picture's extents: 255 in the hole, else 0.

/// Nothing is a hole yet.
Image empty_mask(int width, int height);

/// The hole is where `picture` is not fully opaque: an eraser's soft edge still shows what was there.
Image mask_from_alpha(const Image& picture);

/// The hole is where `painted`, a picture of the mask, is at least half bright; where `inverted`,
/// less than half. Transparent pixels of it count as black.
Image mask_from_picture(const Image& painted, bool inverted);

/// Makes a rectangle, which may reach beyond the picture, a hole.
void add_hole(Image& mask, const Rectangle& hole);

/// The pixels that are a hole in either. Throws UsageError, with both extents, if they differ.
void add_holes(Image& mask, const Image& more);

/// Holes wider by `pixels` on each side (a square's distance), so that soft or misplaced edges of
/// what is to go do not stay.
Image grown(const Image& mask, int pixels);

/// The smallest rectangle around all holes; h and w are 0 if there is none.
Rectangle bounds_of_holes(const Image& mask);

/// A window of it as f32 [1,h,w,1]: 1 in the hole, else 0.
Tensor mask_window(const Image& mask, const Rectangle& window);

}  // namespace mend
