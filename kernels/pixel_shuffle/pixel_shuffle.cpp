#include "kernels/pixel_shuffle/pixel_shuffle.h"

#include <cassert>

#include "kernels/cuda/machine.h"
#include "kernels/pixel_shuffle/variants.h"

namespace mend {
namespace {

template <class Op>
double seconds(const Op& op, const Shapes& in) {
  return op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

#ifdef MEND_HAS_CUDA
template <class Op>
double cuda_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).bytes / NominalGpu::kBytesPerSecond;
}
#endif

// clang-format off
constexpr Variant<op::PixelShuffle, PixelShuffleKernel> kShuffleLadder[] = {
    // name                       device             can it?                     time          error  entry
    {"pixel_shuffle/reference",   DeviceKind::kCpu,  takes_f32_alone,            slowest,      0,     pixel_shuffle_reference},
    {"pixel_shuffle/rows",        DeviceKind::kCpu,  takes_f32_alone,            seconds,      0,     pixel_shuffle_rows},
#ifdef MEND_HAS_CUDA
    {"pixel_shuffle/cuda",        DeviceKind::kCuda, pixel_shuffle_cuda_refuses, cuda_seconds, 0, {pixel_shuffle_cuda, pixel_shuffle_cuda_narrow}},
#endif
};

constexpr Variant<op::PixelUnshuffle, PixelUnshuffleKernel> kUnshuffleLadder[] = {
    {"pixel_unshuffle/reference", DeviceKind::kCpu,  takes_f32_alone,              slowest,      0, pixel_unshuffle_reference},
    {"pixel_unshuffle/rows",      DeviceKind::kCpu,  takes_f32_alone,              seconds,      0, pixel_unshuffle_rows},
#ifdef MEND_HAS_CUDA
    {"pixel_unshuffle/cuda",      DeviceKind::kCuda, pixel_unshuffle_cuda_refuses, cuda_seconds, 0, {pixel_unshuffle_cuda, pixel_unshuffle_cuda_narrow}},
#endif
};
// clang-format on

Cost copy_cost(const Shape& x, DType type) {
  return {0, 2 * static_cast<double>(size_of(type)) * static_cast<double>(x.elements())};
}

}  // namespace

std::span<const Variant<op::PixelShuffle, PixelShuffleKernel>> pixel_shuffle_ladder() {
  return kShuffleLadder;
}
std::span<const Variant<op::PixelUnshuffle, PixelUnshuffleKernel>> pixel_unshuffle_ladder() {
  return kUnshuffleLadder;
}

namespace op {

Shape PixelShuffle::shape(const Shapes& in) const {
  assert(in.size() == 1 && factor >= 1);
  const Shape& x = in[0];
  if (x.c % (factor * factor) != 0) {
    throw ShapeError(
        fmt::format("pixel_shuffle: factor {} needs a multiple of {} channels, but x "
                    "is {}",
                    factor, factor * factor, to_string(x)));
  }
  return {x.n, x.h * factor, x.w * factor, x.c / (factor * factor)};
}

Cost PixelShuffle::cost(const Shapes& in) const { return copy_cost(in[0], type); }

Footprint PixelShuffle::footprint(const Shapes&) const {
  return {0, static_cast<double>(factor), 1, false};
}

std::string PixelShuffle::describe() const { return fmt::format("x{}", factor); }

std::optional<RowPart> PixelShuffle::row_part(const Shapes&, RowRange y) const {
  return RowPart{*this, {{y.begin / factor, (y.end + factor - 1) / factor}}, factor};
}

std::optional<Narrowed> PixelShuffle::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 1, to);
}

void PixelShuffle::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(pixel_shuffle_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

Shape PixelUnshuffle::shape(const Shapes& in) const {
  assert(in.size() == 1 && factor >= 1);
  const Shape& x = in[0];
  if (x.h % factor != 0 || x.w % factor != 0) {
    throw ShapeError(
        fmt::format("pixel_unshuffle: factor {} needs height and width to be multiples "
                    "of it, but x is {}; pad it first",
                    factor, to_string(x)));
  }
  return {x.n, x.h / factor, x.w / factor, x.c * factor * factor};
}

Cost PixelUnshuffle::cost(const Shapes& in) const { return copy_cost(in[0], type); }

Footprint PixelUnshuffle::footprint(const Shapes&) const {
  return {0, 1.0 / factor, factor, false};
}

std::string PixelUnshuffle::describe() const { return fmt::format("x{}", factor); }

std::optional<Narrowed> PixelUnshuffle::narrow(const Shapes&, DType to) const {
  return narrow_inputs(*this, 1, to);
}

void PixelUnshuffle::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(pixel_unshuffle_ladder(), *this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32) return rung.kernel.narrow(*this, inputs, y);
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>());
}

}  // namespace op
}  // namespace mend
