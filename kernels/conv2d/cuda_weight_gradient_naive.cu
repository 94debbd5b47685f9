// The gradient of a convolution's weight, one weight a thread: the formula as it stands.
//
// There are few weights and many pixels, so the rows of all images are cut into parts, and a block sums up
// one part. What limits it: two loads for one FMA. Neighbouring threads have neighbouring channels of x and
// the same dy, so that a warp reads 128 bytes of x where a group has many channels.
#include <algorithm>

#include "kernels/conv2d/cuda_weight_gradient.h"
#include "kernels/cuda/add_parts.cuh"
#include "kernels/cuda/element.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;

/// Rows [rows·part/parts, rows·(part+1)/parts) of dy. f32 sums along a row, f64 over the rows.
__global__ void __launch_bounds__(kThreads)
    sum_part(CudaWeightGradientParameters op, View<const float> x, View<const float> dy, Shape y,
             std::int64_t weights, float* sums) {
  const std::int64_t weight = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (weight >= weights) return;
  const int c = static_cast<int>(weight % y.c), s = static_cast<int>(weight / y.c % y.w);
  const int r = static_cast<int>(weight / y.c / y.w % y.h);
  const int k = static_cast<int>(weight / y.c / y.w / y.h);
  const int channel = k / (y.n / op.groups) * y.c + c;

  // Output q sees column first_w + q·stride of x.
  const int first_w = s * op.dilation - op.padding_w, last = x.shape.w - 1 - first_w;
  const int begin_q = first_w < 0 ? (op.stride - 1 - first_w) / op.stride : 0;
  const int end_q = last < 0 ? 0 : min(dy.shape.w, last / op.stride + 1);

  const int P = dy.shape.h;
  const std::int64_t rows = std::int64_t{dy.shape.n} * P, part = blockIdx.y, parts = gridDim.y;
  double sum = 0;
  for (std::int64_t row = rows * part / parts; row < rows * (part + 1) / parts; ++row) {
    const int n = static_cast<int>(row / P), p = static_cast<int>(row % P);
    const int h = p * op.stride + r * op.dilation - op.padding_h;
    if (h < 0 || h >= x.shape.h || begin_q >= end_q) continue;
    const float* from = pixel_of(x, n, h, first_w + begin_q * op.stride) + channel;
    const float* gradient = pixel_of(dy, n, p, begin_q) + k;
    float row_sum = 0;
    for (int q = begin_q; q < end_q; ++q) {
      row_sum = fmaf(*gradient, *from, row_sum);
      from += op.stride * x.w_stride;
      gradient += dy.w_stride;
    }
    sum += row_sum;
  }
  sums[part * weights + weight] = static_cast<float>(sum);
}

/// Puts weight `element` where it belongs in y.
struct Place {
  View<float> y;
  __device__ void operator()(std::int64_t element, float sum) const {
    const int c = static_cast<int>(element % y.shape.c);
    const int s = static_cast<int>(element / y.shape.c % y.shape.w);
    const int r = static_cast<int>(element / y.shape.c / y.shape.w % y.shape.h);
    const int k = static_cast<int>(element / y.shape.c / y.shape.w / y.shape.h);
    pixel_of(y, k, r, s)[c] = sum;
  }
};

}  // namespace

void launch_weight_gradient_naive(const CudaWeightGradientCall& call) {
  const Shape& y = call.y.shape();
  const std::int64_t weights = y.elements(), blocks = (weights + kThreads - 1) / kThreads;
  const std::int64_t rows = std::int64_t{call.dy.shape().n} * call.dy.shape().h;
  // As many blocks as keep a GPU busy: four times those of a kernel that has work for longer.
  const std::int64_t wanted = (4 * kWeightGradientBlocks + blocks - 1) / blocks;
  const int parts = static_cast<int>(std::min(rows, wanted));
  const Tensor sums =
      Tensor::empty({parts, 1, 1, static_cast<int>(weights)}, DType::kF32, call.y.device());
  sum_part<<<dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(parts)), kThreads, 0,
             call.stream>>>(call.parameters, call.x.view<const float>(),
                            call.dy.view<const float>(), y, weights, sums.view<float>().data);
  cuda_check(cudaGetLastError(), "conv2d_weight_gradient/cuda_naive");
  launch_add_parts(sums.view<const float>().data, parts, weights, Place{call.y.view<float>()},
                   call.stream);
}

}  // namespace mend
