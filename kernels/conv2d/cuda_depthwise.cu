// Depthwise convolution of f32, f16 and bf16, in f32: every output channel sees one input channel.
//
// What limits it: memory. A 3x3 does 9 FMAs for each number read and written; an H100 could do 40. So x is to be
// read once, 16 bytes a thread (8 of f16), with enough of it under way. Shared memory holds the rows that come next
// (cuda_depthwise_rows.cuh), and each thread keeps the sums of the kSize rows of y that it is in the middle of: a
// row of x is read from shared memory once for two columns of y, and used for kSize rows of them.
//
// What is read twice lies at the tiles' borders: with 64 columns, 32 rows and 3x3 9%.
//
// Next ideas: more columns a thread for 7x7, whose 49 weights come from shared memory for each row.
#include "engine/cuda/check.h"
#include "kernels/conv2d/cuda.h"
#include "kernels/conv2d/cuda_depthwise_rows.cuh"
#include "kernels/conv2d/cuda_slope.cuh"
#include "kernels/narrow_type.h"

namespace mend {
namespace depthwise {
namespace {

constexpr const char* kName = "conv2d/cuda_depthwise";

template <class T>
struct Arguments {
  CudaConv2dParameters op;
  View<const T> x, residual;
  const T* weight;  // [R,S,C rounded up to 4]
  const float *bias, *slope;
  View<T> y;
  Layout layout;
  bool x_units, y_units, residual_units;
};

/// scale · activation(z) + residual of one pixel. `own`: four numbers of this thread, kThreads apart, for the long
/// formulas, of which there is one copy.
template <class T>
__device__ void finish(const Arguments<T>& a, const Strip& strip, int p, int q,
                       const Pack<float>& bias, const Pack<float>& slope, Pack<float> z,
                       float* own) {
  const int C = a.y.shape.c;
  if (q >= a.y.shape.w || strip.c >= C) return;
#pragma unroll
  for (int j = 0; j < 4; ++j) z.values[j] += bias.values[j];
  if (is_a_slope(a.op.activation.kind)) {
    const bool cuts = a.op.activation.kind == ActivationKind::kRelu;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (z.values[j] < 0) z.values[j] = cuts ? 0 : slope.values[j] * z.values[j];
    }
  } else {
#pragma unroll
    for (int j = 0; j < 4; ++j) own[j * kThreads] = z.values[j];
#pragma unroll 1
    for (int j = 0; j < 4; ++j) {
      own[j * kThreads] = activate(a.op.activation, own[j * kThreads], 0);
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) z.values[j] = own[j * kThreads];
  }
  Pack<float> rest{};
  if (a.residual.data != nullptr) {
    rest = load_channels(pixel_of(a.residual, strip.n, p, q), strip.c, C, a.residual_units);
  }
#pragma unroll
  for (int j = 0; j < 4; ++j) z.values[j] = fmaf(a.op.scale, z.values[j], rest.values[j]);
  store_channels(pixel_of(a.y, strip.n, p, q), z, strip.c, C, a.y_units);
}

/// The factors of negative sums.
template <class T>
__device__ Pack<float> slopes_of(const Arguments<T>& a, int c) {
  Pack<float> slopes{{1, 1, 1, 1}};
  if (a.op.activation.kind == ActivationKind::kLeakyRelu) {
    for (float& slope : slopes.values) slope = a.op.activation.parameter;
  }
  if (a.op.activation.kind == ActivationKind::kPrelu) {
    slopes = a.op.shared_slope ? Pack<float>{{a.slope[0], a.slope[0], a.slope[0], a.slope[0]}}
                               : load_channels(a.slope, c, a.y.shape.c, false);
  }
  return slopes;
}

template <class T, int kSize>
__global__ void __launch_bounds__(kThreads, kSize == 3 ? 2 : 1)
    convolve(const __grid_constant__ Arguments<T> a) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  constexpr int kParameters = kSize * kSize + 2;  // of a channel
  extern __shared__ __align__(16) char shared[];
  const Layout& layout = a.layout;
  const int row_bytes = layout.row_bytes(kSize, kUnitBytes<T>);
  // [tap][unit], behind them biases and slopes, and then each thread's own four numbers.
  auto* const weights = reinterpret_cast<Pack<float>*>(shared + kSlots * row_bytes);
  float* const own = reinterpret_cast<float*>(weights + kParameters * layout.units) + threadIdx.x;
  const Strip strip(layout);
  const int C = a.y.shape.c, width = (C + 3) / 4 * 4;
  const int rows = min(layout.rows, a.y.shape.h - strip.p);  // of y

  const PatchColumns<T, kSize> patch(a.x, a.x_units, a.op.padding_h, a.op.padding_w,
                                     a.op.padding_mode, layout, strip);
  const auto load_next = [&](int row) {
    if (row < rows + kSize - 1) patch.load(row, shared_address(shared) + row % kSlots * row_bytes);
    commit_copies();  // an empty group where there is nothing, so that the groups can be counted
  };
  for (int row = 0; row < kAhead; ++row) load_next(row);
  for (int tap = strip.group; tap < kSize * kSize; tap += layout.groups) {
    weights[tap * layout.units + strip.unit] =
        load_channels(a.weight + std::int64_t{tap} * width, strip.c, width, true);
  }
  auto* const bias = weights + kSize * kSize * layout.units + strip.unit;
  if (strip.group == 0) {
    bias[0] = a.bias != nullptr ? load_channels(a.bias, strip.c, C, false) : Pack<float>{};
    bias[layout.units] = slopes_of(a, strip.c);
  }

  Pack<float> sum[kSize][kGroupColumns] = {};  // of the rows of y that see row i last, ..., first
#pragma unroll 1
  for (int i = 0; i < rows + kSize - 1; ++i) {
    wait_for_copies<kAhead - 1>();
    __syncthreads();  // row i is there, for all; and the one before it is used up
    load_next(i + kAhead);
    const auto* const pixels =
        reinterpret_cast<const Run<T, kUnit>*>(shared + i % kSlots * row_bytes) +
        strip.group * kGroupColumns * layout.units + strip.unit;
    Pack<float> x[kSize + kGroupColumns - 1];
#pragma unroll
    for (int s = 0; s < kSize + kGroupColumns - 1; ++s) x[s] = numbers_of(pixels[s * layout.units]);
#pragma unroll
    for (int r = 0; r < kSize; ++r) {
#pragma unroll
      for (int s = 0; s < kSize; ++s) {
        const Pack<float> weight = weights[(r * kSize + s) * layout.units + strip.unit];
#pragma unroll
        for (int j = 0; j < kGroupColumns; ++j) {
          sum[kSize - 1 - r][j] = scaled_sum(x[s + j], weight, sum[kSize - 1 - r][j]);
        }
      }
    }
    const int p = i - (kSize - 1);
#pragma unroll
    for (int j = 0; j < kGroupColumns; ++j) {
      if (p >= 0) {
        finish(a, strip, strip.p + p, strip.q + j, bias[0], bias[layout.units], sum[0][j], own);
      }
#pragma unroll
      for (int row = 0; row + 1 < kSize; ++row) sum[row][j] = sum[row + 1][j];
      sum[kSize - 1][j] = {};
    }
  }
#endif
}

/// weight [C,R,S,1] -> packed [R,S,C rounded up to 4]; zeros behind C.
template <class T>
__global__ void pack(View<const float> weight, int width, int count, T* packed) {
  const int at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const int c = at % width, s = at / width % weight.shape.w, r = at / width / weight.shape.w;
  packed[at] = from_float<T>(c < weight.shape.n ? *pixel_of(weight, c, r, s) : 0);
}

template <int kSize, class T>
void launch(const Arguments<T>& a, cudaStream_t stream) {
  const Layout& layout = a.layout;
  const int bytes = kSlots * layout.row_bytes(kSize, kUnitBytes<T>) +
                    (kSize * kSize + 2) * layout.units * 16 +
                    4 * kThreads * static_cast<int>(sizeof(float));
  cuda_check(
      cudaFuncSetAttribute(convolve<T, kSize>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
      kName);
  convolve<T, kSize><<<layout.blocks(), kThreads, bytes, stream>>>(a);
  cuda_check(cudaGetLastError(), kName);
}

template <class T>
void launch_type(const CudaConv2dCall& call) {
  Arguments<T> a{};
  a.op = call.parameters;
  a.x = call.x.view<const T>();
  a.residual = call.residual.view<const T>();
  a.weight = call.weight.view<const T>().data;
  a.bias = call.bias.view<const float>().data;
  a.slope = call.slope.view<const float>().data;
  a.y = call.y.view<T>();
  a.layout = layout_of(a.y.shape, a.op.kernel_h, kUnitBytes<T>);
  a.x_units = runs<kUnit>(a.x);
  a.y_units = runs<kUnit>(a.y);
  a.residual_units = runs<kUnit>(a.residual);
  switch (a.op.kernel_h) {
    case 3:
      return launch<3>(a, call.stream);
    case 5:
      return launch<5>(a, call.stream);
    default:
      return launch<7>(a, call.stream);
  }
}

template <class T>
void launch_pack(const CudaConv2dPacking& packing) {
  const int count = static_cast<int>(packing.packed.shape().elements());
  constexpr int kPackThreads = 256;
  pack<<<divide_up(count, kPackThreads), kPackThreads, 0, packing.stream>>>(
      packing.weight.view<const float>(), packing.packed.shape().c, count,
      packing.packed.view<T>().data);
  cuda_check(cudaGetLastError(), "conv2d/cuda_depthwise: packing");
}

}  // namespace
}  // namespace depthwise

void launch_conv2d_depthwise(const CudaConv2dCall& call) {
  with_type(call.x.dtype(), [&]<class T>() { depthwise::launch_type<T>(call); });
}

void launch_conv2d_depthwise_pack(const CudaConv2dPacking& packing) {
  with_type(packing.packed.dtype(), [&]<class T>() { depthwise::launch_pack<T>(packing); });
}

}  // namespace mend
