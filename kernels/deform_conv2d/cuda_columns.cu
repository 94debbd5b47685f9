// What the taps of some outputs see, written out as columns, for a matrix product.
//
// A sample is a tap of an offset group of an output. A block has 64: first a thread works out each one's four pixels
// and their weights, in double, and leaves them in shared memory, then all threads go through the samples' channels,
// 16 bytes at a time where the views allow it; neighbouring threads have neighbouring channels.
#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/cuda/divide.cuh"
#include "kernels/cuda/each_element.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/deform_conv2d/cuda.h"
#include "kernels/deform_conv2d/cuda_taps.cuh"

namespace mend {
namespace {

using namespace deform;

constexpr int kThreads = 256;
constexpr int kSamples = 64;  ///< of a block

struct Columns {
  Samples samples;
  View<const float> x;
  int n, first_row;
  FastDivider units;     ///< of an offset group's channels
  FastDivider channels;  ///< C/groups
  int offset_channels;   ///< C/G
  float* to;
};

/// Unit: float, or Pack, whose numbers are channels of one group.
template <class Unit>
__global__ void __launch_bounds__(kThreads)
    sample_columns(const __grid_constant__ Columns columns) {
  constexpr int kCount = sizeof(Unit) / sizeof(float);
  __shared__ alignas(16) char memory[kSamples * sizeof(Corners)];
  auto* corners = reinterpret_cast<Corners*>(memory);
  const Samples& samples = columns.samples;
  const int first = blockIdx.x * kSamples, count = min(kSamples, samples.count - first);
  if (static_cast<int>(threadIdx.x) < count) {
    const Sample own = samples.at(first + threadIdx.x);
    corners[threadIdx.x] =
        Corners(columns.x, columns.n, samples.position(own, columns.n, columns.first_row));
  }
  __syncthreads();
  const int all_taps = samples.taps_of_group(), C = columns.channels.divisor;
  const int of_pixel = all_taps * columns.x.shape.c;
  const int all = count * static_cast<int>(columns.units.divisor);
  for (int unit = threadIdx.x; unit < all; unit += kThreads) {
    const auto [sample, own] = columns.units(unit);
    const auto [pixel, g, tap] = samples.at(first + sample);
    const int c = g * columns.offset_channels + own * kCount;
    const Corners& around = corners[sample];
    alignas(sizeof(Unit)) float seen[kCount] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float weight = around.weight[i];
      const Unit numbers = *reinterpret_cast<const Unit*>(columns.x.data + around.at[i] + c);
      const auto* number = reinterpret_cast<const float*>(&numbers);
#pragma unroll
      for (int e = 0; e < kCount; ++e) {
        seen[e] = fmaf(weight, weight != 0 ? number[e] : 0, seen[e]);
      }
    }
    const auto [group, within] = columns.channels(c);
    float* to = columns.to + std::int64_t{pixel} * of_pixel + (group * all_taps + tap) * C + within;
    *reinterpret_cast<Unit*>(to) = *reinterpret_cast<const Unit*>(seen);
  }
}

struct Sum {
  __device__ float operator()(const float (&values)[2]) const { return values[0] + values[1]; }
};

}  // namespace

void launch_deform_columns(const CudaDeformCall& call, int n, int first, int count,
                           float* columns) {
  const CudaDeform& op = call.op;
  const int C = call.x.shape.c;
  const int offset_channels = C / op.offset_groups, channels = C / op.groups;
  constexpr int kPack = Pack<float>::kCount;
  const bool wide = packs(call.x) && offset_channels % kPack == 0 && channels % kPack == 0;
  const Columns work{Samples(op, call.offset, call.mask, count),
                     call.x,
                     n,
                     first,
                     FastDivider(wide ? offset_channels / kPack : offset_channels),
                     FastDivider(channels),
                     offset_channels,
                     columns};
  const auto run = wide ? sample_columns<Pack<float>> : sample_columns<float>;
  run<<<divide_up(work.samples.count, kSamples), kThreads, 0, call.stream>>>(work);
  cuda_check(cudaGetLastError(), "deform_conv2d/cuda_columns");
}

void launch_deform_bias(const View<const float>& bias, const View<float>& y) {
  const View<const float> inputs[] = {y, bias};
  launch_each_element("deform_conv2d/cuda_columns", inputs, y, Sum{});
}

}  // namespace mend
