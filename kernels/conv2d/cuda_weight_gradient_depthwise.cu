// The gradient of a depthwise convolution's weight.
//
//   y[c,r,s] = Σ_{n,p,q} dy[n,p,q,c] · x[n, p + r − padding_h, q + s − padding_w, c]
//
// What limits the naive rung: neighbouring threads have the taps of one channel, whose numbers they fetch 4 bytes at
// a time. Here blocks walk down strips as cuda_depthwise does: a thread has 4 channels and 2 columns, keeps the last
// kSize rows of dy and all sums in registers, and multiplies each row of x with them: 4 reads of 16 bytes from
// shared memory for 3·3·2·4 FMAs. dy comes straight from global memory, a row ahead. Then memory is the limit.
//
// The columns' sums of a block are added through shared memory, halves onto halves; the blocks' by add_parts.
#include <algorithm>

#include "engine/cuda/check.h"
#include "kernels/conv2d/cuda_depthwise_rows.cuh"
#include "kernels/conv2d/cuda_weight_gradient.h"
#include "kernels/cuda/add_parts.cuh"

namespace mend {
namespace depthwise {
namespace {

constexpr const char* kName = "conv2d_weight_gradient/cuda_depthwise";

struct Arguments {
  View<const float> x, dy;
  int padding_h, padding_w;
  Layout layout;  // of dy
  bool x_units, dy_units;
  float* parts;  // [block of pixels][tap][C rounded up to 4]
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// Adds the sums of all groups of columns to those of the first.
template <int kTaps>
__device__ void add_groups(const Layout& layout, const Strip& strip, Pack<float> (&sum)[kTaps],
                           Pack<float>* shared) {
  for (int half = layout.groups / 2; half > 0; half /= 2) {
    // What upper threads hand over: [tap][group % half][unit].
    Pack<float>* const place = shared + strip.group % half * layout.units + strip.unit;
    const int step = half * layout.units;
    __syncthreads();
    if (strip.group >= half && strip.group < 2 * half) {
#pragma unroll
      for (int tap = 0; tap < kTaps; ++tap) place[tap * step] = sum[tap];
    }
    __syncthreads();
    if (strip.group >= half) continue;
#pragma unroll
    for (int tap = 0; tap < kTaps; ++tap) {
      const Pack<float> other = place[tap * step];
#pragma unroll
      for (int j = 0; j < 4; ++j) sum[tap].values[j] += other.values[j];
    }
  }
}

#endif  // from compute capability 8.0 on

template <int kSize>
__global__ void __launch_bounds__(kThreads, kSize == 3 ? 2 : 1)
    sum_part(const __grid_constant__ Arguments a) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  extern __shared__ __align__(16) char shared[];
  constexpr int kTaps = kSize * kSize;
  const Layout& layout = a.layout;
  const int row_bytes = layout.row_bytes(kSize, kUnitBytes<float>);
  const Strip strip(layout);
  const int C = a.dy.shape.c;
  const int rows = min(layout.rows, a.dy.shape.h - strip.p);

  const PatchColumns<float, kSize> patch(a.x, a.x_units, a.padding_h, a.padding_w,
                                         PaddingMode::kZeros, layout, strip);
  const auto load_next = [&](int row) {
    if (row < rows + kSize - 1) patch.load(row, shared_address(shared) + row % kSlots * row_bytes);
    commit_copies();  // an empty group where there is nothing, so that the groups can be counted
  };
  const auto dy_at = [&](int row, int j) {
    if (row >= rows || strip.q + j >= a.dy.shape.w) return Pack<float>{};
    return load_channels(pixel_of(a.dy, strip.n, strip.p + row, strip.q + j), strip.c, C,
                         a.dy_units);
  };
  for (int row = 0; row < kAhead; ++row) load_next(row);

  Pack<float> sum[kTaps] = {};
  Pack<float> dy[kSize][kGroupColumns] = {};  // rows i, i - 1, ... for row i of the patch
  Pack<float> next[kGroupColumns];
#pragma unroll
  for (int j = 0; j < kGroupColumns; ++j) next[j] = dy_at(0, j);
#pragma unroll 1
  for (int i = 0; i < rows + kSize - 1; ++i) {
#pragma unroll
    for (int j = 0; j < kGroupColumns; ++j) {
#pragma unroll
      for (int r = kSize - 1; r > 0; --r) dy[r][j] = dy[r - 1][j];
      dy[0][j] = next[j];
      next[j] = dy_at(i + 1, j);
    }
    wait_for_copies<kAhead - 1>();
    __syncthreads();  // row i is there, for all; and the one before it is used up
    load_next(i + kAhead);
    const auto* const pixels =
        reinterpret_cast<const Pack<float>*>(shared + i % kSlots * row_bytes) +
        strip.group * kGroupColumns * layout.units + strip.unit;
#pragma unroll
    for (int s = 0; s < kSize + kGroupColumns - 1; ++s) {
      const Pack<float> x = pixels[s * layout.units];
#pragma unroll
      for (int j = 0; j < kGroupColumns; ++j) {
        if (s - j < 0 || s - j >= kSize) continue;
#pragma unroll
        for (int r = 0; r < kSize; ++r) {
          sum[r * kSize + s - j] = scaled_sum(x, dy[r][j], sum[r * kSize + s - j]);
        }
      }
    }
  }
  wait_for_copies<0>();
  add_groups(layout, strip, sum, reinterpret_cast<Pack<float>*>(shared));
  const int width = (C + 3) / 4 * 4;
  if (strip.group != 0 || strip.c >= width) return;
  float* const part = a.parts + std::int64_t{strip.pixels} * kTaps * width + strip.c;
#pragma unroll
  for (int tap = 0; tap < kTaps; ++tap) {
    *reinterpret_cast<Pack<float>*>(part + tap * width) = sum[tap];
  }
#endif
}

/// Of parts [tap][C rounded up to 4].
struct Place {
  View<float> y;
  int width;
  __device__ void operator()(std::int64_t element, float sum) const {
    const int c = static_cast<int>(element) % width, tap = static_cast<int>(element) / width;
    if (c < y.shape.n) *pixel_of(y, c, tap / y.shape.w, tap % y.shape.w) = sum;
  }
};

template <int kSize>
void launch(Arguments a, const CudaWeightGradientCall& call) {
  constexpr int kTaps = kSize * kSize;
  const int width = divide_up(a.dy.shape.c, 4) * 4, count = a.layout.blocks_of_pixels();
  const Tensor parts = Tensor::empty({count, 1, kTaps, width}, DType::kF32, call.y.device());
  a.parts = parts.view<float>().data;
  const int handed_over = kTaps * kThreads / 2 * 16;
  const int bytes = std::max(kSlots * a.layout.row_bytes(kSize, kUnitBytes<float>), handed_over);
  cuda_check(
      cudaFuncSetAttribute(sum_part<kSize>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
      kName);
  sum_part<kSize><<<a.layout.blocks(), kThreads, bytes, call.stream>>>(a);
  cuda_check(cudaGetLastError(), kName);
  launch_add_parts(a.parts, count, kTaps * width, Place{call.y.view<float>(), width}, call.stream);
}

}  // namespace
}  // namespace depthwise

void launch_weight_gradient_depthwise(const CudaWeightGradientCall& call) {
  depthwise::Arguments a{};
  a.x = call.x.view<const float>();
  a.dy = call.dy.view<const float>();
  a.padding_h = call.parameters.padding_h;
  a.padding_w = call.parameters.padding_w;
  a.layout =
      depthwise::layout_of(a.dy.shape, call.parameters.kernel_h, depthwise::kUnitBytes<float>);
  a.x_units = runs<depthwise::kUnit>(a.x);
  a.dy_units = runs<depthwise::kUnit>(a.dy);
  if (call.parameters.kernel_h == 3) return depthwise::launch<3>(a, call);
  depthwise::launch<5>(a, call);
}

}  // namespace mend
