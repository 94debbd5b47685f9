#include "kernels/parameter_update/parameter_update.h"

#include <cmath>

#include "kernels/parameter_update/cpu.h"
#include "kernels/parameter_update/cuda.h"

namespace mend {
namespace {

/// The entry points on a device.
struct Kernels {
  void (*for_each_number)(const NumberRule& rule, const PieceSpan& pieces);
  void (*sum_squares)(const PieceSpan& pieces, double* sums);
};

Kernels kernels_on([[maybe_unused]] const Device& device) {
#ifdef MEND_HAS_CUDA
  if (device.kind() == DeviceKind::kCuda) return {for_each_number_cuda, sum_squares_cuda};
#endif
  return {for_each_number_cpu, sum_squares_cpu};
}

}  // namespace

void for_each_number(const NumberRule& rule, const PieceSpan& pieces) {
  if (pieces.count > 0) kernels_on(*pieces.device).for_each_number(rule, pieces);
}

double GradientNorm::operator()(Inputs gradients) {
  rows_.clear();
  Device* device = &cpu();
  for (const Tensor& gradient : gradients) {
    if (!gradient) continue;
    device = &gradient.device();
    rows_.push_back({gradient});
  }
  if (rows_.empty()) return 0;
  pieces_.assign(*device, rows_);
  const PieceSpan pieces = pieces_.all();
  const std::int64_t bytes = (std::int64_t{pieces.count} + 1) * sizeof(double);
  if (!sums_ || &sums_.device() != device || sums_.bytes() != bytes) {
    sums_ = Tensor::empty(vector_shape(static_cast<int>(bytes)), DType::kU8, *device);
  }
  auto* const sums = reinterpret_cast<double*>(sums_.storage()->data());
  kernels_on(*device).sum_squares(pieces, sums);
  double squares = 0;
  device->copy(&squares, sums + pieces.count, sizeof(double));
  return std::sqrt(squares);
}

}  // namespace mend
