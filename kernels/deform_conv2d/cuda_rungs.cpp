// The host's side of the CUDA rungs.
#include "kernels/cuda/machine.h"
#include "kernels/deform_conv2d/cuda.h"
#include "kernels/deform_conv2d/cuda_matrices.h"
#include "kernels/deform_conv2d/rungs.h"

namespace mend {
namespace {

CudaDeformCall on_gpu(const DeformConv2dCall& call) {
  return {mend::on_gpu(call.op), call.x,    call.offset, call.mask,
          call.weight,           call.bias, call.y,      current_cuda_device().stream()};
}

double numbers_of_columns(const op::DeformConv2d& op, const Shapes& in) {
  return static_cast<double>(op.shape(in).pixels()) * op.kernel_h * op.kernel_w *
         in[op::DeformConv2d::kX].c;
}

}  // namespace

/// Every output samples for itself: about 20 instructions for each product.
double deform_conv2d_cuda_naive_seconds(const op::DeformConv2d& op, const Shapes& in) {
  const double products = numbers_of_columns(op, in) * op.shape(in).c / op.groups;
  return products * 20 / (NominalGpu::kFlopsPerSecond / 2);
}

/// Columns are written and read, from L2 at about twice the rate of DRAM, and multiplied at half of the f32 peak.
double deform_conv2d_cuda_columns_seconds(const op::DeformConv2d& op, const Shapes& in) {
  constexpr double kLaunches = 5e-6;
  const Cost cost = op.cost(in);
  return kLaunches +
         (numbers_of_columns(op, in) * sizeof(float) + cost.bytes) / NominalGpu::kBytesPerSecond +
         cost.flops / (0.5 * NominalGpu::kFlopsPerSecond);
}

void deform_conv2d_cuda_naive(const DeformConv2dCall& call) { launch_deform_naive(on_gpu(call)); }

void deform_conv2d_cuda_columns(const DeformConv2dCall& call) {
  const auto& [op, x, offset, mask, weight, bias, y, scratch] = call;
  const CudaDeformCall there = on_gpu(call);
  const DenseWeight dense(weight);
  const ColumnRows columns(op, x.shape.c, y.shape, rows_join(y));
  const int groups = op.groups, K = y.shape.c / groups, Q = y.shape.w;
  const int length = static_cast<int>(columns.of_pixel() / groups);
  columns.for_each([&](int n, int first, int rows, int) {
    launch_deform_columns(there, n, first, rows, columns.data());
    const float* from = columns.data();
    multiply({false, true}, matrices(from, groups, rows * Q, length, length, columns.of_pixel()),
             matrices(dense.view.data, groups, K, length, std::int64_t{K} * length, length),
             matrices(call.y.pixel(n, first, 0), groups, rows * Q, K, K, call.y.w_stride));
  });
  if (bias) launch_deform_bias(bias, y);
}

}  // namespace mend
