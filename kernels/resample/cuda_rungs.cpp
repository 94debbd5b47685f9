// The host's side of the CUDA rungs: the taps are computed here, in double, and brought to the GPU.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/cuda_kept_tables.h"
#include "kernels/cuda/cuda_separable.h"
#include "kernels/cuda/machine.h"
#include "kernels/narrow_type.h"
#include "kernels/resample/cuda.h"
#include "kernels/resample/taps.h"
#include "kernels/resample/variants.h"
#include "kernels/separable_gradient.h"

namespace mend {
namespace {

SeparableAxis separable(const Axis& axis) {
  SeparableAxis result;
  std::vector<double> weights(static_cast<std::size_t>(most_taps(axis)));
  for (int p = 0; p < axis.output; ++p) {
    const Taps taps = taps_of(axis, p, weights.data());
    for (int t = 0; t < taps.count; ++t) {
      result.add(static_cast<int>(taps.first) + t, weights[static_cast<std::size_t>(t)]);
    }
    result.finish_output();
  }
  return result;
}

/// All that the taps depend on.
std::string key_of(const Axis& axis) {
  return fmt::format("resample {} {} {} {} {} {:a}", static_cast<int>(axis.mode),
                     axis.align_corners, axis.antialias, axis.input, axis.output, axis.scale);
}
KeptAxis kept(const Axis& axis) {
  return {key_of(axis), axis.output, [&] { return separable(axis); }};
}

KeptAxis kept_rows(const op::ResampleGradient& op, const Shape& x) {
  const Axis axis = rows_of(op.resample, x);
  return KeptAxis::of_gradient("gradient of " + key_of(axis), axis.input,
                               [&] { return transposed_rows(op, x); });
}
KeptAxis kept_columns(const op::ResampleGradient& op, const Shape& x) {
  const Axis axis = columns_of(op.resample, x);
  return KeptAxis::of_gradient("gradient of " + key_of(axis), axis.input,
                               [&] { return transposed_columns(op, x); });
}

/// The one tap of every output of two axes, side by side.
std::vector<int> picked(const Axis& rows, const Axis& columns) {
  std::vector<int> sources;
  double weight = 0;
  for (const Axis* axis : {&rows, &columns}) {
    for (int p = 0; p < axis->output; ++p) {
      sources.push_back(static_cast<int>(taps_of(*axis, p, &weight).first));
    }
  }
  return sources;
}

/// Taps of an output that lies anywhere.
int usual_taps(const Axis& axis) {
  const bool two = axis.mode == ResampleMode::kBilinear && !axis.antialias;
  return two ? 2 : most_taps(axis);
}
int rows_taps(const op::Resample& op, const Shape& x) { return usual_taps(rows_of(op, x)); }
int columns_taps(const op::Resample& op, const Shape& x) { return usual_taps(columns_of(op, x)); }
/// About as many outputs see an input: there are so many more taps in all than inputs.
int seen_by(int taps, int outputs, int inputs) {
  return std::max(1, static_cast<int>(static_cast<double>(taps) * outputs / inputs));
}

}  // namespace

double resample_cuda_nearest_seconds(const op::Resample& op, const Shapes& in) {
  return op.cost(in).bytes / NominalGpu::kBytesPerSecond;
}
double resample_cuda_direct_seconds(const op::Resample& op, const Shapes& in) {
  return separable_cuda_direct_seconds(in[0], op.shape(in), rows_taps(op, in[0]),
                                       columns_taps(op, in[0]));
}
double resample_cuda_two_pass_seconds(const op::Resample& op, const Shapes& in) {
  return separable_cuda_two_pass_seconds(in[0], op.shape(in), rows_taps(op, in[0]),
                                         columns_taps(op, in[0]));
}

namespace {

template <class Number>
void nearest(const op::Resample& op, View<const Number> x, View<Number> y) {
  const Axis rows = rows_of(op, x.shape), columns = columns_of(op, x.shape);
  const Tensor table = kept_table("pixels " + key_of(rows) + " x " + key_of(columns), [&] {
    const std::vector<int> sources = picked(rows, columns);
    const auto bytes = std::as_bytes(std::span(sources));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  });
  const int* sources = reinterpret_cast<const int*>(table.storage()->data());
  launch_resample_nearest(sources, sources + y.shape.h, x, y, current_cuda_device().stream());
}
template <class T>
void direct(const op::Resample& op, View<const T> x, View<T> y) {
  separable_cuda_direct(kept(rows_of(op, x.shape)), kept(columns_of(op, x.shape)), x, y);
}
template <class T>
void two_pass(const op::Resample& op, View<const T> x, View<T> y) {
  separable_cuda_two_pass(kept(rows_of(op, x.shape)), kept(columns_of(op, x.shape)), x, y);
}

}  // namespace

void resample_cuda_nearest(const op::Resample& op, View<const float> x, View<float> y, Scratch) {
  nearest(op, x, y);
}
void resample_cuda_direct(const op::Resample& op, View<const float> x, View<float> y, Scratch) {
  direct(op, x, y);
}
void resample_cuda_two_pass(const op::Resample& op, View<const float> x, View<float> y, Scratch) {
  two_pass(op, x, y);
}

void resample_cuda_nearest_narrow(const op::Resample& op, Inputs inputs, const Tensor& y) {
  nearest<Half>(op, as_16_bits(inputs[0]), as_16_bits(y));
}
void resample_cuda_direct_narrow(const op::Resample& op, Inputs inputs, const Tensor& y) {
  with_narrow_type(op.type,
                   [&]<class T>() { direct<T>(op, inputs[0].view<const T>(), y.view<T>()); });
}
void resample_cuda_two_pass_narrow(const op::Resample& op, Inputs inputs, const Tensor& y) {
  with_narrow_type(op.type,
                   [&]<class T>() { two_pass<T>(op, inputs[0].view<const T>(), y.view<T>()); });
}

double resample_gradient_cuda_direct_seconds(const op::ResampleGradient& op, const Shapes& in) {
  const Shape x = op.shape(in), &dy = in[0];
  return separable_cuda_direct_seconds(dy, x, seen_by(rows_taps(op.resample, x), dy.h, x.h),
                                       seen_by(columns_taps(op.resample, x), dy.w, x.w));
}
double resample_gradient_cuda_two_pass_seconds(const op::ResampleGradient& op, const Shapes& in) {
  const Shape x = op.shape(in), &dy = in[0];
  return separable_cuda_two_pass_seconds(dy, x, seen_by(rows_taps(op.resample, x), dy.h, x.h),
                                         seen_by(columns_taps(op.resample, x), dy.w, x.w));
}

void resample_gradient_cuda_direct(const op::ResampleGradient& op, View<const float> dy,
                                   View<float> y, Scratch) {
  separable_cuda_direct(kept_rows(op, y.shape), kept_columns(op, y.shape), dy, y);
}
void resample_gradient_cuda_two_pass(const op::ResampleGradient& op, View<const float> dy,
                                     View<float> y, Scratch) {
  separable_cuda_two_pass(kept_rows(op, y.shape), kept_columns(op, y.shape), dy, y);
}

}  // namespace mend
