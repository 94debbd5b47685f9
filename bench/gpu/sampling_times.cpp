// Fourier transforms, sampling and code books; conversions and elementwise operations on images of 16 bits.
#include <fmt/format.h>

#include <optional>

#include "bench/gpu/times.h"
#include "bench/one_op.h"
#include "engine/gpu.h"
#include "kernels/activation/activation.h"
#include "kernels/code_lookup/code_lookup.h"
#include "kernels/convert/convert.h"
#include "kernels/deform_conv2d/deform_conv2d.h"
#include "kernels/deform_conv2d/gradient.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/fft/fft.h"
#include "kernels/fft/spectrum.h"
#include "kernels/grid_sample/gradient.h"
#include "kernels/grid_sample/grid_sample.h"
#include "kernels/pixel_shuffle/pixel_shuffle.h"

namespace mend {
namespace {

/// `op` by the rung that is chosen.
void time_op(const std::string& word, const AnyOp& op, const Shapes& in, const Tensors& inputs) {
  const std::string name =
      fmt::format("{}/{}/{}/{}", op.name(), op.describe(), to_string(in[0]), name_of(op.dtype()));
  if (name.find(word) == std::string::npos) return;
  const Tensor y = Tensor::empty(op.shape(in), op.dtype(), gpu(0));
  report(name, seconds_of([&] { op.forward(inputs, y, {}); }), op.cost(in));
}

void time_f32(const std::string& word, const AnyOp& op, const Shapes& in) {
  Tensors inputs;
  for (const Shape& shape : in) {
    inputs.push_back(shape.empty() ? Tensor() : bench::wave(shape).on(gpu(0)));
  }
  time_op(word, op, in, inputs);
}

/// The same on images of 16 bits.
template <class Op>
void time_narrow(const std::string& word, const Op& op, const Shapes& in) {
  const std::optional<Narrowed> narrowed = op.narrow(in, DType::kF16);
  if (!narrowed) return;
  Tensors inputs;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const Tensor wide = bench::wave(in[i]).on(gpu(0));
    const bool is_narrow = (narrowed->inputs >> i & 1) != 0;
    inputs.push_back(is_narrow ? mend::apply(op::Convert{DType::kF32, DType::kF16}, {wide}) : wide);
  }
  time_op(word, narrowed->op, in, inputs);
}

void time_transforms(const std::string& word, const Shape& image, int patch) {
  const op::RealFft2 forward{FftNorm::kOrtho, patch};
  time_f32(word, forward, {image});
  time_f32(word, op::InverseRealFft2{FftNorm::kOrtho, image.w, patch}, {forward.shape({image})});
}

}  // namespace

void time_sampling(const std::string& word) {
  time_transforms(word, {1, 64, 64, 192}, 0);
  time_transforms(word, {1, 90, 120, 192}, 0);
  time_transforms(word, {1, 512, 512, 32}, 0);
  time_transforms(word, {1, 256, 256, 48}, 8);
  const Shape spectrum{1, 256, 160, 96};
  time_f32(word, op::ComplexMultiply{}, {spectrum, spectrum});
  time_f32(word, op::SpectralGain{}, {spectrum, {1, 8, 5, 48}});
  const Shape image{1, 256, 256, 64}, grid{1, 256, 256, 2};
  for (const SampleMode mode : {SampleMode::kBilinear, SampleMode::kBicubic}) {
    const op::GridSample sample{.mode = mode};
    time_f32(word, sample, {image, grid});
    time_f32(word, op::GridSampleImageGradient{sample, 256, 256}, {grid, image});
    time_f32(word, op::GridSampleGridGradient{sample}, {image, grid, image});
  }
  time_f32(word, op::CodeLookup{}, {{1, 16, 16, 1024}, {1, 1, 1024, 256}});
  const op::DeformConv2d deform{3, 3, 1, 1, 1};
  const Shape x{1, 128, 128, 64}, offset{1, 128, 128, 18}, mask{1, 128, 128, 9};
  const Shape weight{64, 3, 3, 64}, column{1, 128, 128, 576};
  time_f32(word, deform, {x, offset, mask, weight});
  time_f32(word, op::DeformColumnGradient{}, {weight, x});
  time_f32(word, op::DeformImageGradient{deform, 128, 128}, {offset, mask, column});
  time_f32(word, op::DeformOffsetGradient{deform}, {x, offset, mask, column});
  time_f32(word, op::DeformWeightGradient{deform}, {x, offset, mask, x});
}

void time_narrow_images(const std::string& word) {
  const Shape x{1, 512, 512, 64}, each = vector_shape(64);
  const Tensor wide = bench::wave(x).on(gpu(0));
  const op::Convert to_f16{DType::kF32, DType::kF16}, to_f32{DType::kF16, DType::kF32};
  time_op(word, to_f16, {x}, {wide});
  time_op(word, to_f32, {x}, {mend::apply(to_f16, {wide})});
  time_narrow(word, op::Activate{{ActivationKind::kGelu}}, {x});
  time_narrow(word, op::Activate{{ActivationKind::kPrelu}}, {x, each});
  time_narrow(word, op::Binary{BinaryKind::kAdd}, {x, x});
  time_narrow(word, op::Binary{BinaryKind::kMultiply}, {x, each});
  time_narrow(word, op::Affine{.scale = 2.5f, .offset = 0.25f}, {x});
  time_narrow(word, op::PixelShuffle{2}, {x});
}

}  // namespace mend
