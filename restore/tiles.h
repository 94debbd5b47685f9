// Cutting an image into tiles that a network can work on one by one.
//
//        window (what the network reads)          The core tiles partition the image. A window is a
//      ┌───────────────────────┐                  core and a halo around it, and ends where the
//      │   halo                │                  image ends: there the network pads as it would
//      │    ┌────────────┐     │                  pad the whole image. With a halo as wide as the
//      │    │    core    │     │                  receptive field the cores' outputs are those of
//      │    └────────────┘     │                  the whole image.
//      └───────────────────────┘
#pragma once

#include <vector>

namespace mend {

/// Half-open rows [y, y+h) and columns [x, x+w) of the input image.
struct Rectangle {
  int y = 0, x = 0, h = 0, w = 0;
  bool operator==(const Rectangle&) const = default;
};

struct Tile {
  Rectangle window;  ///< what the network reads
  Rectangle core;    ///< whose outputs are kept; inside the window
};

/// Tiles of an image of height x width pixels, row by row. Cores are `core` x `core` (less at the
/// right and bottom), windows have at least `halo` pixels around them or end with the image.
/// Windows start on multiples of `grid`, so that strides and unshuffles fall as in the whole image.
/// There are at most two window heights and two widths, so few plans are needed.
std::vector<Tile> cut_tiles(int height, int width, int core, int halo, int grid);

/// The largest window that cut_tiles makes for these numbers.
Rectangle largest_window(int height, int width, int core, int halo, int grid);

}  // namespace mend
