// Cutting an image into tiles that a network can work on one by one.
//
//        window (what the network reads)          The core tiles partition the image. A window is a
//      ┌───────────────────────┐                  core and a halo around it, and ends where the
//      │   halo                │                  image ends: there the network pads as it would
//      │  ┌─ kept ─────────┐   │                  pad the whole image. With a halo as wide as the
//      │  │ ┌ core ──────┐ │   │                  receptive field the cores' outputs are those of
//      │  │ │ ┌ clear ─┐ │ │   │                  the whole image, and kept, core and clear are one.
//      │  │ │ └────────┘ │ │   │
//      │  │ └────────────┘ │   │                  With less, neighbours disagree. Then each keeps
//      │  └────────────────┘   │                  some pixels of the other's core, and what both
//      └───────────────────────┘                  keep is blended (restore/tile_blend.h).
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
  Rectangle core;    ///< its part of the image; inside `kept`
  Rectangle kept;    ///< whose outputs are used; inside `window`
  Rectangle clear;   ///< the part of `kept` that no neighbour keeps; inside `core`
};

/// How an image is cut, in pixels of the input.
struct Cut {
  int core_h = 0, core_w = 0;  ///< rounded down to the grid, but at least one step of it
  int halo = 0;                ///< what windows have around their cores at least
  int grid = 1;   ///< windows start on its multiples: strides and unshuffles fall as in the whole
  int blend = 0;  ///< how far tiles keep their neighbours' cores, at most; no more than the halo
};

/// Tiles of an image of height x width pixels, row by row. Cores are core_h x core_w; the last row
/// and column are less, or where blending needs them wider than what is left, take from those
/// before. Windows have at least the halo around their cores or end with the image.
/// There are at most two window heights and two widths, so few plans are needed.
std::vector<Tile> cut_tiles(int height, int width, const Cut& cut);

/// The largest window that cut_tiles makes for these numbers.
Rectangle largest_window(int height, int width, const Cut& cut);

/// Along one axis: how many tiles, their cores, and the length of the longest window.
struct AxisCut {
  int count = 0, core = 0, window = 0;
};
/// The ways to cut `extent` pixels into cores of nearly one size, at least `smallest` each; from one
/// tile on.
std::vector<AxisCut> even_cuts(int extent, int smallest, int halo, int grid);

}  // namespace mend
