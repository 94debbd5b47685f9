// op::TurnConv2dWeight: one number a thread. Weights are few and stay in L2, so that reading them across
// their rows costs little; the writes are side by side.
#include "engine/cuda/check.h"
#include "kernels/conv2d/cuda_weight_gradient.h"
#include "kernels/cuda/element.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    turn_weight(View<const float> weight, View<float> turned, std::int64_t count, bool turn) {
  const Shape& y = turned.shape;
  const std::int64_t at = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at >= count) return;
  const int k = static_cast<int>(at % y.c), s = static_cast<int>(at / y.c % y.w);
  const int r = static_cast<int>(at / y.c / y.w % y.h);
  const int output = static_cast<int>(at / y.c / y.w / y.h), C = weight.shape.c;
  pixel_of(turned, output, turn ? y.h - 1 - r : r, turn ? y.w - 1 - s : s)[k] =
      pixel_of(weight, output / C * y.c + k, r, s)[output % C];
}

}  // namespace

void launch_turn_conv2d_weight(const Tensor& weight, const Tensor& turned, bool turn,
                               cudaStream_t stream) {
  const std::int64_t count = turned.shape().elements();
  const std::int64_t blocks = (count + kThreads - 1) / kThreads;
  turn_weight<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(
      weight.view<const float>(), turned.view<float>(), count, turn);
  cuda_check(cudaGetLastError(), "turn_conv2d_weight");
}

}  // namespace mend
