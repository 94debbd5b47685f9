// Depth to space and back (Shi et al. 2016, arXiv:1609.05158).
#pragma once

#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend::op {

/// y[n, h·r + i, w·r + j, c] = x[n, h, w, c·r² + i·r + j]        (PyTorch's channel order)
///
/// x [N,H,W,C·r²] -> y [N,H·r,W·r,C]. Throws ShapeError if C·r² is no multiple of r².
struct PixelShuffle {
  static constexpr std::string_view kName = "pixel_shuffle";

  int factor = 2;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

/// y[n, h, w, c·r² + i·r + j] = x[n, h·r + i, w·r + j, c]: the inverse of PixelShuffle.
///
/// x [N,H·r,W·r,C] -> y [N,H,W,C·r²]. Throws ShapeError if H or W is no multiple of r.
struct PixelUnshuffle {
  static constexpr std::string_view kName = "pixel_unshuffle";

  int factor = 2;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace mend::op
