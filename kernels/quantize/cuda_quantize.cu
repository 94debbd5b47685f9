// Numbers as 8-bit integers at the speed of memory: a thread makes four of 16 bytes, where x, y and the code allow it,
// else one.
#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/run.cuh"
#include "kernels/cuda/walk.cuh"
#include "kernels/quantize/cuda_code.cuh"
#include "kernels/quantize/rungs.h"

namespace mend {
namespace {

constexpr int kThreads = 256;

/// The views of the walk: x, the code's scales, q.
template <int kCount>
__global__ void __launch_bounds__(kThreads)
    quantize(Walk<3> walk, const float* x, const float* scale, const float* zero, std::int8_t* q) {
  const std::uint32_t index = blockIdx.x * kThreads + threadIdx.x;
  if (index >= walk.count) return;
  std::int64_t at[3] = {};
  walk.locate(index, at);
  const auto numbers = load_run<float, kCount>(x + at[0], true, kCount);
  const auto scales = load_run<float, kCount>(scale + at[1], true, kCount);
  const auto zeros = load_run<float, kCount>(zero + at[1], true, kCount);
  Run<std::int8_t, kCount> codes;
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    codes.values[i] = quantized(numbers.values[i], __frcp_rn(scales.values[i]), zeros.values[i]);
  }
  store_run(q + at[2], codes, true, kCount);
}

}  // namespace

void quantize_cuda(View<const float> x, View<const float> code, View<std::int8_t> q) {
  const View<const float> scales{code.data, vector_shape(x.shape.c), code.n_stride, code.h_stride,
                                 code.w_stride};
  const float* const zeros = code.data + code.w_stride;
  const Walk<3> walk(q.shape, {Strides(x), Strides(scales), Strides(q)});
  const auto launch = [&](auto run, const Walk<3>& over) {
    const unsigned blocks = (over.count + kThreads - 1) / kThreads;
    run<<<blocks, kThreads, 0, current_cuda_device().stream()>>>(over, x.data, scales.data, zeros,
                                                                 q.data);
    cuda_check(cudaGetLastError(), "quantize/cuda");
  };
  constexpr int kRun = 4;
  const bool in_runs = walk.packs(0, x.data) && walk.packs(1, scales.data) && runs<kRun>(q) &&
                       code.w_stride % kRun == 0;
  if (in_runs) return launch(quantize<kRun>, walk.in_packs());
  launch(quantize<1>, walk);
}

}  // namespace mend
