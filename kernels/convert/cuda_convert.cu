// Conversion at the speed of memory: a thread makes eight numbers, of 16 bytes on the narrow side and 32
// on the other, where both sides allow it, else one.
#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/convert/cuda.h"
#include "kernels/cuda/walk.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256;

/// So many numbers side by side, moved by as few instructions as their alignment allows.
template <class T, int kCount>
struct alignas(kCount == 1 ? sizeof(T) : 16) Run {
  T values[kCount];
};

template <int kCount, class From, class To>
__global__ void __launch_bounds__(kThreads) convert(Walk<2> walk, const From* x, To* y) {
  const std::uint32_t index = blockIdx.x * kThreads + threadIdx.x;
  if (index >= walk.count) return;
  std::int64_t at[2] = {};
  walk.locate(index, at);
  const auto from = *reinterpret_cast<const Run<From, kCount>*>(x + at[0]);
  Run<To, kCount> to;
#pragma unroll
  for (int i = 0; i < kCount; ++i) to.values[i] = from_float<To>(as_float(from.values[i]));
  *reinterpret_cast<Run<To, kCount>*>(y + at[1]) = to;
}

}  // namespace

template <class From, class To>
void launch_convert(View<const From> x, View<To> y) {
  const Walk<2> walk(y.shape, {Strides(x), Strides(y)});
  constexpr int kPack = 8;
  const auto launch = [&](auto run, const Walk<2>& over) {
    const unsigned blocks = (over.count + kThreads - 1) / kThreads;
    run<<<blocks, kThreads, 0, current_cuda_device().stream()>>>(over, x.data, y.data);
    cuda_check(cudaGetLastError(), "convert/cuda");
  };
  // Of the narrow side a Pack is eight numbers; the f32 side then lies at multiples of 16 bytes too.
  const bool packs =
      walk.packs(0, x.data) && walk.packs(1, y.data) && walk.extent[0].divisor % kPack == 0;
  if (packs) return launch(convert<kPack, From, To>, walk.in_packs(kPack));
  launch(convert<1, From, To>, walk);
}
template void launch_convert(View<const float>, View<Half>);
template void launch_convert(View<const float>, View<BFloat16>);
template void launch_convert(View<const Half>, View<float>);
template void launch_convert(View<const BFloat16>, View<float>);

}  // namespace mend
