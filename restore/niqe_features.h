// Natural scene statistics of a picture's blocks: the 36 numbers a block that NIQE compares.
//
//   Y ─ mean and deviation σ over 7 x 7 ─ x = (Y - μ)/(σ + 1) ─ blocks of 96 ─ 18 numbers ─┐
//   └─ imresize 0.5 ─ the same with blocks of 48 ────────────────────────────── 18 numbers ─┴─ 36
//
// The 18: shape and mean scale of the generalised Gaussian of x; and of x times its neighbour to the
// right, below, and on both diagonals (around the block's edges): shape, mean, left and right scale.
// Mittal, Soundararajan, Bovik 2013, eqs. 1 to 8, in the conventions of the released MATLAB code and
// BasicSR: window of deviation 7/6 with the border repeated; whole blocks alone, the rest of the
// picture is cut off before; shapes from a table in steps of 0.001 by the moments of Lasmar, Stitou,
// Berthoumieu 2009. In double; where a window has one colour x is 0, which is what BasicSR's f32 makes
// of it, while rounding in double can give it a sign.
#pragma once

#include <array>
#include <vector>

#include "restore/image.h"

namespace mend {

constexpr int kNiqeFeatures = 36;
constexpr int kNiqeBlock = 96;  ///< pixels a side

/// A block without texture, or whose neighbours' products are all of one sign, has NaN among them.
using NiqeFeatures = std::array<double, kNiqeFeatures>;

struct NiqeBlock {
  NiqeFeatures features;
  double sharpness;  ///< the mean of σ over the block at full size
};

/// The blocks, column by column from the left. Colour goes by its BT.601 limited-range luma, rounded;
/// gray counts as luma already. `border` pixels on every side are not looked at. None if the picture
/// is smaller than a block.
std::vector<NiqeBlock> niqe_blocks(const Image& picture, int border);

}  // namespace mend
