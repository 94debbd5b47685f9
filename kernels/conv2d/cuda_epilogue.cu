// The epilogue of a convolution that somebody else computed: bound by memory, one number a thread.
#include "engine/cuda/check.h"
#include "kernels/activation/activation.cuh"
#include "kernels/conv2d/cuda_epilogue.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/element_place.cuh"
#include "kernels/narrow_type.h"

namespace mend {
namespace {

constexpr int kThreads = 256;

/// z may be y: each thread reads the number that it writes.
template <class T>
__global__ void __launch_bounds__(kThreads)
    epilogue(Activation activation, float scale, bool shared_slope, View<const T> z,
             const float* bias, const float* slope, View<const T> residual, View<T> y) {
  const std::int64_t output = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (output >= std::int64_t{y.shape.n} * y.shape.h * y.shape.w * y.shape.c) return;
  const auto [n, p, q, k] = element_place(output, y.shape);
  const float sum = as_float(pixel_of(z, n, p, q)[k]) + (bias != nullptr ? bias[k] : 0);
  const float own_slope = slope != nullptr ? slope[shared_slope ? 0 : k] : 0;
  float result = scale * activate(activation, sum, own_slope);
  if (residual.data != nullptr) result += as_float(pixel_of(residual, n, p, q)[k]);
  pixel_of(y, n, p, q)[k] = from_float<T>(result);
}

template <class T>
void launch(const CudaConv2dEpilogue& e) {
  const std::int64_t blocks = (e.y.shape().elements() + kThreads - 1) / kThreads;
  epilogue<T><<<static_cast<unsigned>(blocks), kThreads, 0, e.stream>>>(
      e.activation, e.scale, e.slope.shape().c == 1, e.z.view<const T>(),
      e.bias.view<const float>().data, e.slope.view<const float>().data, e.residual.view<const T>(),
      e.y.view<T>());
  cuda_check(cudaGetLastError(), "conv2d/cudnn's epilogue");
}

}  // namespace

void launch_conv2d_epilogue(const CudaConv2dEpilogue& e) {
  with_type(e.y.dtype(), [&]<class T>() { launch<T>(e); });
}

}  // namespace mend
