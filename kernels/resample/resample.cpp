#include "kernels/resample/resample.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "engine/parallel.h"
#include "kernels/narrow.h"
#include "kernels/narrow_type.h"
#include "kernels/resample/taps.h"
#include "kernels/resample/variants.h"

namespace mend {
namespace {

std::string needs_nearest(const op::Resample& resample, const Shapes&) {
  return picks_pixels(resample.mode) ? std::string() : "needs a nearest mode";
}

std::string needs_weights(const op::Resample& resample, const Shapes&) {
  return picks_pixels(resample.mode) ? "needs a mode with weights" : std::string();
}

std::string needs_weights_in_f32(const op::Resample& resample, const Shapes& in) {
  const std::string why = needs_weights(resample, in);
  return why.empty() ? takes_f32_alone(resample, in) : why;
}

/// Both passes from memory or cache; see cpu_simd.cpp.
double simd_seconds(const op::Resample& resample, const Shapes& in) {
  const Cost cost = resample.cost(in);
  return 2 * cost.bytes / NominalMachine::kBytesPerSecond +
         cost.flops / NominalMachine::kFlopsPerSecond;
}

double rows_seconds(const op::Resample& resample, const Shapes& in) {
  return resample.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

// clang-format off
constexpr Variant<op::Resample, ResampleKernel> kLadder[] = {
    // name                    device             can it?        time                            error  entry
    {"resample/reference",     DeviceKind::kCpu,  takes_f32_alone, slowest,                      0,     resample_reference},
    {"resample/simd",          DeviceKind::kCpu,  needs_weights_in_f32, simd_seconds,                   1e-6,  resample_simd},
    {"resample/rows",          DeviceKind::kCpu,  needs_nearest, rows_seconds,                   0,     {resample_rows, resample_rows_16_bits}},
#ifdef MEND_HAS_CUDA
    {"resample/cuda_direct",   DeviceKind::kCuda, needs_weights, resample_cuda_direct_seconds,   1e-6,  {resample_cuda_direct, resample_cuda_direct_narrow}},
    {"resample/cuda_two_pass", DeviceKind::kCuda, needs_weights, resample_cuda_two_pass_seconds, 1e-6,  {resample_cuda_two_pass, resample_cuda_two_pass_narrow}},
    {"resample/cuda_nearest",  DeviceKind::kCuda, needs_nearest, resample_cuda_nearest_seconds,  0,     {resample_cuda_nearest, resample_cuda_nearest_narrow}},
#endif
};

constexpr std::string_view name_of(ResampleMode mode) {
  constexpr std::string_view kNames[] = {"nearest", "nearest-exact", "bilinear", "bicubic", "area"};
  return kNames[static_cast<std::size_t>(mode)];
}
// clang-format on

const ResampleVariant& rung_of(const op::Resample& op, const Shapes& in, DeviceKind device) {
  if (op.variant != nullptr) return *op.variant;
  return choose(resample_ladder(), op, in, device);
}

std::int64_t ceil_divide(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }

/// The footprint along one axis; see the contract.
Footprint footprint_of(const Axis& axis) {
  const Ratio ratio = ratio_of(axis);
  const double scale = static_cast<double>(axis.output) / axis.input;
  const bool stretches = axis.align_corners && axis.input != axis.output;
  if (!ratio.exact() || (stretches && (axis.mode == ResampleMode::kBilinear ||
                                       axis.mode == ResampleMode::kBicubic))) {
    return {0, scale, 1, true};
  }
  const std::int64_t common = std::gcd(ratio.in, ratio.out);
  const std::int64_t in = ratio.in / common, out = ratio.out / common;
  std::vector<double> weights(static_cast<std::size_t>(most_taps(axis)));
  std::int64_t radius = 0;
  for (int p = 0; p < out; ++p) {  // the pattern repeats after `out` rows
    const Taps taps = endless_taps(axis, p, weights.data());
    const std::int64_t own_first = p * in / out, own_last = ceil_divide((p + 1) * in, out) - 1;
    radius = std::max({radius, own_first - taps.first, taps.first + taps.count - 1 - own_last});
  }
  return {static_cast<double>(radius), static_cast<double>(out) / static_cast<double>(in),
          static_cast<int>(in), false};
}

}  // namespace

std::span<const Variant<op::Resample, ResampleKernel>> resample_ladder() { return kLadder; }

bool picks_pixels(ResampleMode mode) {
  return mode == ResampleMode::kNearest || mode == ResampleMode::kNearestExact;
}

namespace op {

Shape Resample::shape(const Shapes& in) const {
  assert(in.size() == 1);
  if (height < 1 || width < 1) {
    throw ShapeError(fmt::format("resample: {} cannot become {} rows of {} pixels",
                                 to_string(in[0]), height, width));
  }
  return {in[0].n, height, width, in[0].c};
}

Cost Resample::cost(const Shapes& in) const {
  const Shape& x = in[0];
  const Shape y = shape(in);
  const double bytes =
      static_cast<double>(size_of(type)) * static_cast<double>(x.elements() + y.elements());
  if (picks_pixels(mode)) return {0, bytes};
  // Rows first: `height` rows as wide as x, then their columns.
  const double between = static_cast<double>(Shape{x.n, height, x.w, x.c}.elements());
  return {2 * between * most_taps(rows_of(*this, x)) +
              2 * static_cast<double>(y.elements()) * most_taps(columns_of(*this, x)),
          bytes};
}

Footprint Resample::footprint(const Shapes& in) const {
  const Footprint rows = footprint_of(rows_of(*this, in[0]));
  const Footprint columns = footprint_of(columns_of(*this, in[0]));
  Footprint both = rows.beside(columns);
  if (rows.scale != columns.scale) both.global = true;
  return both;
}

std::string Resample::describe() const {
  return fmt::format("{} to {}x{}{}{}", name_of(mode), width, height,
                     align_corners ? " align_corners" : "", antialias ? " antialias" : "");
}

std::int64_t Resample::scratch_bytes(const Shapes& in) const {
  const Shape& x = in[0];
  const std::int64_t row = std::int64_t{x.w} * x.c * static_cast<std::int64_t>(sizeof(float));
  return tap_table_bytes(rows_of(*this, x)) + tap_table_bytes(columns_of(*this, x)) +
         (picks_pixels(mode) ? 0 : threads() * row);
}

std::optional<Lowering> Resample::lower(const Shapes& in, DeviceKind device) const {
  Resample fixed = *this;
  fixed.variant = &rung_of(*this, in, device);
  return Lowering{fixed, {}};
}

void Resample::forward(Inputs inputs, const Tensor& y, Scratch scratch) const {
  const auto& rung = rung_of(*this, shapes_of(inputs), y.device().kind());
  if (type != DType::kF32 && rung.kernel.narrow != nullptr) {
    return rung.kernel.narrow(*this, inputs, y);
  }
  if (type != DType::kF32) {
    return rung.kernel.run_16_bits(*this, as_16_bits(inputs[0]), as_16_bits(y), scratch);
  }
  rung.kernel(*this, inputs[0].view<const float>(), y.view<float>(), scratch);
}

std::optional<Narrowed> Resample::narrow(const Shapes&, DType to, DeviceKind device) const {
  if (device == DeviceKind::kCpu && !picks_pixels(mode)) return std::nullopt;
  return narrow_inputs(*this, 1, to);
}

}  // namespace op
}  // namespace mend
