// Putting the outputs of overlapping tiles together so that no step shows where they meet.
//
//      left tile's weight  1 ──────╲    ╱────── 1  right tile's weight
//                                   ╲  ╱
//                                    ╳             a = left + t · (right − left),  t = (i + ½) / n
//                                   ╱  ╲               in pixel i of the n that both keep
//                          0 ──────╱    ╲────── 0
//
// A linear ramp makes the largest step between neighbouring pixels the least: a disagreement of D
// becomes n steps of D / n. Columns are blended first, then rows, so a corner where four tiles meet
// has the products of the weights, and they sum to one.
#pragma once

#include <functional>

#include "engine/tensor.h"
#include "restore/tiles.h"

namespace mend {

/// Takes tiles row by row and gives every pixel of the output once, when nothing more changes it.
/// Holds the overlap with the tile to the left and with the row above, never the image.
class TileBlend {
 public:
  using Sink = std::function<void(const Rectangle& output, const Tensor& pixels)>;

  /// `width`: of the output image.
  TileBlend(int width, Sink sink) : width_(width), sink_(std::move(sink)) {}

  /// `pixels` [1,h,w,C] of `kept`, and which of them no neighbour keeps; both of cut_tiles, scaled to
  /// the output. Changes `pixels`.
  void add(const Rectangle& kept, const Rectangle& clear, const Tensor& pixels);

 private:
  int width_;
  Sink sink_;
  Tensor left_;  // what the tile to the left keeps of this tile
  Tensor above_,
      below_;  // [1,rows,width,C]: what the rows of tiles keep of the next, columns blended
};

/// to = from + t · (to − from) along the width: t rises from near 0 at the left to near 1.
void fade_across(const Tensor& from, const Tensor& to);
/// The same along the height.
void fade_down(const Tensor& from, const Tensor& to);

}  // namespace mend
