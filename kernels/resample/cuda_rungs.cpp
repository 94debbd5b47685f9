// The host's side of the CUDA rungs: the taps are computed here, in double, and brought to the GPU.
#include <algorithm>
#include <vector>

#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/cuda_separable.h"
#include "kernels/cuda/machine.h"
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

void resample_cuda_nearest(const op::Resample& op, View<const float> x, View<float> y, Scratch) {
  CudaDevice& device = current_cuda_device();
  const std::vector<int> sources = picked(rows_of(op, x.shape), columns_of(op, x.shape));
  const std::size_t bytes = sources.size() * sizeof(int);
  const Tensor table = Tensor::empty(vector_shape(static_cast<int>(bytes)), DType::kU8, device);
  device.copy(table.storage()->data(), sources.data(), bytes);
  const int* rows = reinterpret_cast<const int*>(table.storage()->data());
  launch_resample_nearest(rows, rows + y.shape.h, x, y, device.stream());
}

void resample_cuda_direct(const op::Resample& op, View<const float> x, View<float> y, Scratch) {
  separable_cuda_direct(separable(rows_of(op, x.shape)), separable(columns_of(op, x.shape)), x, y);
}
void resample_cuda_two_pass(const op::Resample& op, View<const float> x, View<float> y, Scratch) {
  separable_cuda_two_pass(separable(rows_of(op, x.shape)), separable(columns_of(op, x.shape)), x,
                          y);
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
  separable_cuda_direct(separable(transposed_rows(op, y.shape)),
                        separable(transposed_columns(op, y.shape)), dy, y);
}
void resample_gradient_cuda_two_pass(const op::ResampleGradient& op, View<const float> dy,
                                     View<float> y, Scratch) {
  separable_cuda_two_pass(separable(transposed_rows(op, y.shape)),
                          separable(transposed_columns(op, y.shape)), dy, y);
}

}  // namespace mend
