// Pairs of pictures to learn from: what the network is given, and what it should make of it.
#pragma once

#include <cstdint>
#include <memory>

#include "models/network.h"
#include "train/degradation.h"
#include "train/picture_set.h"

namespace mend {

struct PairOptions {
  std::uint64_t seed = 1;
  int patch = 48;     ///< side of the network's input
  int scale = 1;      ///< of the target: its side is patch · scale
  int margin = 8;     ///< input pixels around the patch that are degraded with it and cut off then
  int looks = 1;      ///< places that are looked at; the one with the most detail is taken
  bool gray = false;  ///< BT.601 luma, full range, one channel
  double gray_share =
      0;  ///< of colour samples, that are gray in all three channels, input and target
  /// What happens to the good picture before it is the target; it must keep its size. May be empty.
  Degradation before = {};
  /// To colorize: the input is L* in 0..100, the target a*b* (restore/lab.h).
  bool colours = false;

  int target_channels() const { return colours ? 2 : gray ? 1 : 3; }
  /// Without a mask.
  int picture_channels() const { return colours || gray ? 1 : 3; }
};

/// f32 [N,patch,patch,C] and [N,patch·scale,patch·scale,C], in [0,1]; the input is not clipped. With holes
/// the input is 0 there and has one channel more, the mask: 1 in holes, else 0.
struct Pairs {
  Tensor input, target;
};

/// `input` of Pairs as a network of these traits takes it: one tensor, or picture and mask apart.
Tensors network_inputs(const Traits& traits, const Tensor& input);

class PairSource {
 public:
  /// `holes`, if it is given, draws the holes of inputs (train/holes.h). Throws UsageError if a size is not
  /// positive.
  PairSource(std::shared_ptr<PictureSet> pictures, Degradation degradation, PairOptions options,
             Degradation holes = {});

  /// Samples [first, first + count): a picture, a place in it, one of eight turns, the degradation
  /// and the holes, drawn from (seed, sample) alone. Uses all threads; the same bits for any number of them.
  /// Throws UsageError if the degradation ends at another size.
  Pairs batch(std::int64_t first, int count) const;

  const PairOptions& options() const { return options_; }
  /// The shorter side that pictures must have.
  static int smallest_side(const PairOptions& options) {
    return (options.patch + 2 * options.margin) * options.scale;
  }

 private:
  struct Pair {
    Tensor input, target;
  };
  struct Place {
    std::shared_ptr<const Image> picture;
    int top = 0, left = 0;
  };

  Pair make(std::int64_t sample) const;
  Place draw_place(RandomStream& random, int side) const;

  std::shared_ptr<PictureSet> pictures_;
  Degradation degradation_;
  PairOptions options_;
  Degradation holes_;
};

}  // namespace mend
