#include "kernels/fft/fft.h"

#include <cassert>
#include <cmath>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/fft/rungs.h"

namespace mend {
namespace {

/// Image and spectrum each cross the memory twice, once along the rows, once along the columns. The
/// arithmetic runs at about a quarter of the peak: adds are not fused, and lines live in L2.
double seconds(const Cost& cost) {
  return 4 * cost.flops / NominalMachine::kFlopsPerSecond +
         2 * cost.bytes / NominalMachine::kBytesPerSecond;
}
double real_fft2_seconds(const op::RealFft2& op, const Shapes& in) { return seconds(op.cost(in)); }
double inverse_real_fft2_seconds(const op::InverseRealFft2& op, const Shapes& in) {
  return seconds(op.cost(in));
}

// clang-format off
constexpr Variant<op::RealFft2, FftKernel<op::RealFft2>> kForwardLadder[] = {
    // name                   device             can it?                        time                          error entry
    {"real_fft2/reference",   DeviceKind::kCpu,  never_refuses,                 slowest,                      0,    {nullptr, real_fft2_reference}},
    {"real_fft2/bundles",     DeviceKind::kCpu,  never_refuses,                 real_fft2_seconds,            2e-6, {real_fft2_bundles_scratch, real_fft2_bundles}},
#ifdef MEND_HAS_CUDA
    {"real_fft2/cuda_naive",  DeviceKind::kCuda, never_refuses,                 real_fft2_cuda_naive_seconds, 1e-6, {nullptr, real_fft2_cuda_naive}},
    {"real_fft2/cuda_lines",  DeviceKind::kCuda, real_fft2_cuda_lines_refuses,  real_fft2_cuda_lines_seconds, 2e-6, {nullptr, real_fft2_cuda_lines}},
    {"real_fft2/cuda_patch8", DeviceKind::kCuda, real_fft2_cuda_patch8_refuses, gpu_memory_seconds,           2e-6, {nullptr, real_fft2_cuda_patch8}},
#endif
};

constexpr Variant<op::InverseRealFft2, FftKernel<op::InverseRealFft2>> kInverseLadder[] = {
    // name                           device             can it?                                time                                  error entry
    {"inverse_real_fft2/reference",   DeviceKind::kCpu,  never_refuses,                         slowest,                              0,    {nullptr, inverse_real_fft2_reference}},
    {"inverse_real_fft2/bundles",     DeviceKind::kCpu,  never_refuses,                         inverse_real_fft2_seconds,            2e-6, {inverse_real_fft2_bundles_scratch, inverse_real_fft2_bundles}},
#ifdef MEND_HAS_CUDA
    {"inverse_real_fft2/cuda_naive",  DeviceKind::kCuda, never_refuses,                         inverse_real_fft2_cuda_naive_seconds, 1e-6, {nullptr, inverse_real_fft2_cuda_naive}},
    {"inverse_real_fft2/cuda_lines",  DeviceKind::kCuda, inverse_real_fft2_cuda_lines_refuses,  inverse_real_fft2_cuda_lines_seconds, 2e-6, {nullptr, inverse_real_fft2_cuda_lines}},
    {"inverse_real_fft2/cuda_patch8", DeviceKind::kCuda, inverse_real_fft2_cuda_patch8_refuses, gpu_memory_seconds,                   2e-6, {nullptr, inverse_real_fft2_cuda_patch8}},
#endif
};
// clang-format on

/// Of the transform between `image` and its spectrum.
Cost transform_cost(const Shape& image, const Shape& spectrum, int patch) {
  const double numbers = patch > 0 ? double(patch) * patch : double(image.h) * image.w;
  return {2.5 * static_cast<double>(image.elements()) * std::log2(numbers),
          sizeof(float) * static_cast<double>(image.elements() + spectrum.elements())};
}

Footprint patch_footprint(int patch) {
  if (patch == 0) return {0, 1, 1, true};
  return {static_cast<double>(patch - 1), 1, patch, false};
}

std::string describe_transform(FftNorm norm, int patch) {
  std::string text = norm == FftNorm::kOrtho ? "ortho" : "backward";
  if (patch > 0) text += fmt::format(" patch {}", patch);
  return text;
}

}  // namespace

std::span<const Variant<op::RealFft2, FftKernel<op::RealFft2>>> real_fft2_ladder() {
  return kForwardLadder;
}
std::span<const Variant<op::InverseRealFft2, FftKernel<op::InverseRealFft2>>>
inverse_real_fft2_ladder() {
  return kInverseLadder;
}

double fft_scale(FftNorm norm, bool inverse, int height, int width) {
  const double both = 1 / (double(height) * width);
  if (norm == FftNorm::kOrtho) return std::sqrt(both);
  return inverse ? both : 1;
}

namespace op {

Shape RealFft2::shape(const Shapes& in) const {
  assert(in.size() == 1 && patch >= 0);
  const Shape& x = in[0];
  if (patch > 0 && (x.h % patch != 0 || x.w % patch != 0)) {
    throw ShapeError(
        fmt::format("real_fft2: x is {}, but height and width must be multiples of "
                    "the patch {}",
                    to_string(x), patch));
  }
  const int columns = patch > 0 ? x.w / patch * (patch / 2 + 1) : x.w / 2 + 1;
  return {x.n, x.h, columns, 2 * x.c};
}

Cost RealFft2::cost(const Shapes& in) const { return transform_cost(in[0], shape(in), patch); }

Footprint RealFft2::footprint(const Shapes&) const { return patch_footprint(patch); }

std::string RealFft2::describe() const { return describe_transform(norm, patch); }

std::int64_t RealFft2::scratch_bytes(const Shapes& in) const {
  const auto& rung = choose(real_fft2_ladder(), *this, in, DeviceKind::kCpu);
  return rung.kernel.scratch_bytes == nullptr ? 0 : rung.kernel.scratch_bytes(*this, in);
}

void RealFft2::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = choose(real_fft2_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel.run(*this, inputs[0].view<const float>(), y.view<float>(), scratch);
}

Shape InverseRealFft2::shape(const Shapes& in) const {
  assert(in.size() == 1 && patch >= 0);
  const Shape& x = in[0];
  if (x.c % 2 != 0) {
    throw ShapeError(
        fmt::format("inverse_real_fft2: x is {}, but channels must be pairs of real "
                    "and imaginary part",
                    to_string(x)));
  }
  if (patch > 0 && (x.h % patch != 0 || width % patch != 0)) {
    throw ShapeError(
        fmt::format("inverse_real_fft2: x is {} and the width {}, but height and "
                    "width must be multiples of the patch {}",
                    to_string(x), width, patch));
  }
  const int columns = patch > 0 ? width / patch * (patch / 2 + 1) : width / 2 + 1;
  if (width < 1 || x.w != columns) {
    throw ShapeError(
        fmt::format("inverse_real_fft2: an image of width {} has a spectrum of {} "
                    "columns, but x is {}",
                    width, columns, to_string(x)));
  }
  return {x.n, x.h, width, x.c / 2};
}

Cost InverseRealFft2::cost(const Shapes& in) const {
  return transform_cost(shape(in), in[0], patch);
}

Footprint InverseRealFft2::footprint(const Shapes&) const { return patch_footprint(patch); }

std::string InverseRealFft2::describe() const {
  return fmt::format("{} width {}", describe_transform(norm, patch), width);
}

std::int64_t InverseRealFft2::scratch_bytes(const Shapes& in) const {
  const auto& rung = choose(inverse_real_fft2_ladder(), *this, in, DeviceKind::kCpu);
  return rung.kernel.scratch_bytes == nullptr ? 0 : rung.kernel.scratch_bytes(*this, in);
}

void InverseRealFft2::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung =
      choose(inverse_real_fft2_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel.run(*this, inputs[0].view<const float>(), y.view<float>(), scratch);
}

}  // namespace op
}  // namespace mend
