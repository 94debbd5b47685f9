#include "kernels/grid_sample/grid_sample.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/cuda/memory_seconds.h"
#include "kernels/grid_sample/rungs.h"

namespace mend {
namespace {

/// Every pixel that is read costs a cache line at worst; narrow images are bound by the geometry of
/// each output, about 20 ns.
double taps_seconds(const op::GridSample& op, const Shapes& in) {
  return static_cast<double>(op.shape(in).pixels()) * 20e-9 +
         2 * op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::GridSample, GridSampleKernel> kLadder[] = {
    // name                    device             can it?        time                           error  entry
    {"grid_sample/reference",  DeviceKind::kCpu,  never_refuses, slowest,                       0,     grid_sample_reference},
    {"grid_sample/taps",       DeviceKind::kCpu,  never_refuses, taps_seconds,                  1e-6,  grid_sample_taps},
#ifdef MEND_HAS_CUDA
    {"grid_sample/cuda_naive", DeviceKind::kCuda, never_refuses, grid_sample_cuda_naive_seconds, 1e-6, grid_sample_cuda_naive},
    {"grid_sample/cuda_taps",  DeviceKind::kCuda, never_refuses, gpu_memory_seconds,            1e-6,  grid_sample_cuda_taps},
#endif
};
// clang-format on

constexpr std::string_view name_of(SampleMode mode) {
  constexpr std::string_view kNames[] = {"bilinear", "nearest", "bicubic"};
  return kNames[static_cast<std::size_t>(mode)];
}
constexpr std::string_view name_of(SamplePadding padding) {
  constexpr std::string_view kNames[] = {"zeros", "border", "reflection"};
  return kNames[static_cast<std::size_t>(padding)];
}

/// `position` mirrored at `low` and `high` until it lies between them.
double reflected(double position, double low, double high) {
  const double span = high - low;
  if (span <= 0) return low;
  const double beyond = std::abs(position - low);
  const double rest = std::fmod(beyond, span);
  const bool flipped = std::fmod(std::floor(beyond / span), 2) != 0;
  return flipped ? high - rest : low + rest;
}

}  // namespace

std::span<const Variant<op::GridSample, GridSampleKernel>> grid_sample_ladder() { return kLadder; }

double pixel_position(double normalised, int extent, bool align_corners) {
  if (align_corners) return (normalised + 1) / 2 * (extent - 1);
  return ((normalised + 1) * extent - 1) / 2;
}

double padded_position(double position, int extent, const op::GridSample& op) {
  const double last = extent - 1;
  switch (op.padding) {
    case SamplePadding::kZeros:
      return position;
    case SamplePadding::kBorder:
      return std::clamp(position, 0.0, last);
    case SamplePadding::kReflection: {
      const double mirror = op.align_corners ? 0 : -0.5;
      return std::clamp(reflected(position, mirror, last - mirror), 0.0, last);
    }
  }
  return position;
}

double cubic_kernel(double t) {
  constexpr double a = -0.75;
  t = std::abs(t);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  if (t < 2) return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return 0;
}

namespace op {

Shape GridSample::shape(const Shapes& in) const {
  assert(in.size() == 2);
  const Shape &x = in[kX], &grid = in[kGrid];
  if (grid.n != x.n || grid.c != 2) {
    throw ShapeError(fmt::format("grid_sample: the grid for {} must be [{},P,Q,2], but it is {}",
                                 to_string(x), x.n, to_string(grid)));
  }
  return {x.n, grid.h, grid.w, x.c};
}

Cost GridSample::cost(const Shapes& in) const {
  const double elements = static_cast<double>(shape(in).elements());
  const int taps = mode == SampleMode::kNearest ? 0 : mode == SampleMode::kBilinear ? 4 : 16;
  const double inputs = static_cast<double>(in[kX].elements() + in[kGrid].elements());
  return {2.0 * taps * elements, sizeof(float) * (inputs + elements)};
}

Footprint GridSample::footprint(const Shapes&) const { return {0, 1, 1, true}; }

std::string GridSample::describe() const {
  return fmt::format("{} {}{}", name_of(mode), name_of(padding),
                     align_corners ? " align_corners" : "");
}

void GridSample::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const auto& rung = choose(grid_sample_ladder(), *this, shapes_of(inputs), y.device().kind());
  rung.kernel(*this, inputs[kX].view<const float>(), inputs[kGrid].view<const float>(),
              y.view<float>());
}

}  // namespace op
}  // namespace mend
