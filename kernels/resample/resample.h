// Changing the size of an image.
//
// Not built yet: enlarging by 2, both rows of a pair need the same input rows, and each column its
// neighbour's products; computing 2 x 2 outputs at once halves the loads.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/ladder.h"
#include "engine/op.h"

namespace mend {

enum class ResampleMode {
  kNearest,       // x[floor(p·H/P)], PyTorch's and OpenCV's old rule
  kNearestExact,  // x[floor((p + 0.5)·H/P)], Pillow's and scikit-image's rule
  kBilinear,
  kBicubic,  // Keys 1981 with a = -0.75, as in PyTorch and OpenCV; -0.5 with antialias, as in Pillow
  kArea,     // the mean of the input pixels that the output pixel touches
};

struct ResampleKernel;
namespace op {
struct Resample;
}
/// One rung of the ladder.
using ResampleVariant = Variant<op::Resample, ResampleKernel>;

namespace op {

/// x resized to `height` x `width` pixels.
///
/// x [N,H,W,C] -> y [N,height,width,C]
/// align_corners: the centres of the corner pixels coincide (kBilinear, kBicubic); else the image's
/// edges do. antialias: when shrinking, the kernel widens with the scale (kBilinear, kBicubic).
/// `scale_h`, `scale_w` (output pixels per input pixel) are used for positions when given (> 0), as
/// PyTorch does when called with scale_factor; else they are height/H and width/W. kArea takes no
/// notice of them.
/// Throws ShapeError if the size is not positive.
/// Equals torch.nn.functional.interpolate. Positions are computed as fractions of whole numbers, so
/// an output of an integer factor depends, to the last bit, only on its position modulo the factor.
/// (PyTorch takes nearest positions from a float32 factor, which for some odd ones, such as 41, is
/// one pixel off.)
///
/// Footprint: output/input = b/a in lowest terms has grid a (1 when enlarging by a whole factor),
/// and the radius is what the kernel reaches over beyond an output's own input pixels. It is global
/// with align_corners, where positions depend on the size of the image, with different factors in
/// height and width, and with a factor that is neither whole nor one over a whole number, given
/// by scale_h and different from height/H.
struct Resample {
  static constexpr std::string_view kName = "resample";
  static constexpr bool kOnGpu = true;

  ResampleMode mode = ResampleMode::kNearest;
  int height = 0, width = 0;
  double scale_h = 0, scale_w = 0;
  bool align_corners = false, antialias = false;
  /// Of x and y: f32, f16 or bf16.
  DType type = DType::kF32;
  /// The rung to run; null: choose one.
  const ResampleVariant* variant = nullptr;

  Shape shape(const Shapes& in) const;
  DType dtype() const { return type; }
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  std::optional<Lowering> lower(const Shapes& in, DeviceKind device) const;
  std::int64_t scratch_bytes(const Shapes& in) const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
  Tensors backward(const Backward& call) const;
  Saves saves(const std::vector<bool>& wanted) const;
  /// On a CPU with a nearest mode alone.
  std::optional<Narrowed> narrow(const Shapes& in, DType to, DeviceKind device) const;
};

}  // namespace op

/// A rung's functions: on f32, and perhaps one that moves numbers of 16 bits, on a GPU one on tensors of op.type.
struct ResampleKernel {
  using Run = void (*)(const op::Resample&, View<const float> x, View<float> y, Scratch scratch);
  using RunHalf = void (*)(const op::Resample&, View<const Half> x, View<Half> y, Scratch scratch);

  using Narrow = void (*)(const op::Resample&, Inputs inputs, const Tensor& y);

  Run run;
  RunHalf run_16_bits = nullptr;
  Narrow narrow = nullptr;

  constexpr ResampleKernel(Run on_f32, RunHalf on_16_bits = nullptr)  // NOLINT: implicit
      : run(on_f32), run_16_bits(on_16_bits) {}
  constexpr ResampleKernel(Run on_f32, Narrow on_narrow) : run(on_f32), narrow(on_narrow) {}

  void operator()(const op::Resample& op, View<const float> x, View<float> y,
                  Scratch scratch) const {
    run(op, x, y, scratch);
  }
};
std::span<const ResampleVariant> resample_ladder();

}  // namespace mend
