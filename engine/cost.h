// What an operation costs, and what one of its output pixels can see.
#pragma once

#include <cstdint>

namespace mend {

struct Cost {
  double flops = 0;  ///< one fused multiply-add counts as 2
  double bytes = 0;  ///< compulsory traffic: every input read once, the output written once

  Cost& operator+=(const Cost& other) {
    flops += other.flops;
    bytes += other.bytes;
    return *this;
  }
};

/// What one output pixel can see of an operation's input, or, composed along a trace, of a
/// network's input. The tiler's halo and grid and the receptive field of `mend explain` come from it.
struct Footprint {
  double radius = 0;    ///< input pixels on each side; a fraction after upsampling
  double scale = 1;     ///< output pixels per input pixel
  int grid = 1;         ///< the result depends on the input position modulo this: stride, unshuffle
  bool global = false;  ///< sees the whole image (global pooling): tiles change the result

  bool operator==(const Footprint&) const = default;

  /// The footprint of `next` applied to an image with this footprint.
  Footprint then(const Footprint& next) const;
  /// The footprint of an operation that reads two images at the same scale, such as x + z.
  Footprint beside(const Footprint& other) const;
};

}  // namespace mend
