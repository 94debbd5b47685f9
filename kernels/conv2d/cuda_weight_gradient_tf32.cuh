// The gradient of a convolution's weight on tensor cores, in TF32 with f32 sums, of images in f32 or bf16.
//
// For each tap it is a GEMM: [K, pixels] of dy times [pixels, C] of x, shifted by the tap. What limits the
// rung below: it fetches both for every product. Here:
//
//   - Tiles of 8 columns x kRows rows of dy, and the patch of x that they see, come into shared memory by
//     cp.async, while the tile before is multiplied. All taps read the same patch, shifted.
//   - A warp owns 8 channels of x and all outputs and taps of its block: it loads a row of 8 pixels of dy
//     once (kTiles fragments of 16 outputs x 8 pixels) and multiplies it with the 8x8 numbers of x of
//     every tap: (4·kTiles + 2·9) loads of 128 bytes for 9·kTiles mma, 30 for 27 with 48 outputs. An H100's
//     multiprocessor needs 40 cycles for these, and 30 for the loads. Its sums, 4·9·kTiles a thread, stay in
//     registers until the block has seen its share of the tiles.
//   - Few channels have few warps: then `splits` warps share the rows of a tile, and their sums are added
//     through shared memory at the end.
//   - Pixels lie 8 banks apart (kPitch, x_pitch), so that the 4 pixels x 8 channels of a fragment touch all 32.
//   - Every thread rounds to TF32 what it has brought itself, once it is there: a number is rounded once,
//     not for each of the up to 18 fragments that hold it. Of bf16 it is made f32 then, which TF32 holds
//     without loss: two tiles wait as they came, half as large, and one is read by the warps.
//
// A block writes its sums as the fragments lie in registers, 512 bytes a warp at a time; add_parts adds the
// blocks' and unravels. f32 sums over at most a few thousand pixels in a block; the error is TF32's, and of
// bf16, whose products are exact, that of the sums alone.
#pragma once

#include <algorithm>

#include "kernels/conv2d/cuda_weight_gradient.h"
#include "kernels/cuda/add_parts.cuh"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/tensor_core.cuh"

namespace mend::weight_gradient {

constexpr int kColumns = 8;    // of a tile of dy: the depth of one mma
constexpr int kMostWarps = 8;  // of a block; as many times 8 channels at most
constexpr int kLanes = 32;

/// Kernels of kSide x kSide with stride kStep, kTiles times 16 outputs a block, on images of T.
template <class T, int kSide, int kStep, int kTiles>
struct Config {
  static constexpr int kTaps = kSide * kSide, kOutputs = 16 * kTiles;
  static constexpr int kRows = kStep == 1 ? 8 : 4;  // of dy; the patch is larger with a stride
  static constexpr int kPixels = kRows * kColumns;
  static constexpr int kPatchColumns = (kColumns - 1) * kStep + kSide;
  static constexpr int kPatchPixels = ((kRows - 1) * kStep + kSide) * kPatchColumns;
  static constexpr int kPitch = kOutputs + 8;  // floats from pixel to pixel of dy: 8 or 24 mod 32
  static constexpr int kFragments = kTaps * kTiles;  // of the sums of a warp
  static constexpr int kFloats = kFragments * kLanes * 4;
  static constexpr int kWide = Pack<T>::kCount;  // numbers of a copy of 16 bytes
  static constexpr bool kInPlace =
      sizeof(T) == sizeof(float);  // whether TF32 is made where it came
  static constexpr int kRawPitch = kInPlace ? kPitch : kOutputs;  // numbers, of dy as it came
};

template <class T>
struct Arguments {
  View<const T> x, dy;
  int padding_h, padding_w;
  int tiles_along_p, tiles_along_q, tiles;
  int warps_along_c, splits;  // of a block
  int blocks_along_c;
  int x_pitch;      // floats from pixel to pixel of x, whose stride then is 8 or 24 mod 32
  int raw_x_pitch;  // numbers from pixel to pixel of x as it came: the same of f32, else none between
  bool x_packs, dy_packs;  // whether 16 bytes can be copied at a time
  float* sums;  // [part][block of outputs][block of channels][warp along c][fragment][lane][4]
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

template <int kUnit, class T>
__device__ void copy_unit(T* to, const T* from, bool inside) {
  constexpr int kBytes = kUnit * sizeof(T);
  if constexpr (kBytes < 4) {  // which cp.async does not copy
    *to = inside ? *from : T{};
  } else {
    copy_async<kBytes, 0>(shared_address(to), from, inside ? kBytes : 0);
  }
}

/// To TF32; `to` may be `from`.
template <int kUnit>
__device__ void round_unit(const float* from, float* to) {
  if constexpr (kUnit == 4) {
    const float4 v = *reinterpret_cast<const float4*>(from);
    *reinterpret_cast<float4*>(to) = {rounded_to_tf32(v.x), rounded_to_tf32(v.y),
                                      rounded_to_tf32(v.z), rounded_to_tf32(v.w)};
  } else {
    *to = rounded_to_tf32(*from);
  }
}
template <int kUnit>
__device__ void round_unit(const BFloat16* from, float* to) {
  if constexpr (kUnit == 8) {
    const auto pack = *reinterpret_cast<const Pack<BFloat16>*>(from);
#pragma unroll
    for (int i = 0; i < 8; i += 4) {
      *reinterpret_cast<float4*>(to + i) = {as_float(pack.values[i]), as_float(pack.values[i + 1]),
                                            as_float(pack.values[i + 2]),
                                            as_float(pack.values[i + 3])};
    }
  } else {
    *to = as_float(*from);
  }
}

/// One tile in shared memory: the patch of x and dy, as they came and as they are multiplied. Of f32 both are in
/// one place.
template <class T, class Config, int kStep>
struct Stage {
  const Arguments<T>& a;
  T *raw_x, *raw_dy;
  float *x, *dy;

  /// f(pixel, channel) for all units of kUnit channels of x's patch that are this thread's.
  template <int kUnit, class F>
  __device__ void each_of_x(const F& f) const {
    // A multiple of the units of a pixel, so that a thread keeps its channels.
    const int units = a.warps_along_c * 8 / kUnit;
    const int channel = threadIdx.x % units * kUnit, step = blockDim.x / units;
    for (int pixel = threadIdx.x / units; pixel < Config::kPatchPixels; pixel += step)
      f(pixel, channel);
  }
  template <int kUnit, class F>
  __device__ void each_of_dy(const F& f) const {
    constexpr int kUnits = Config::kOutputs / kUnit;
    for (int i = threadIdx.x; i < Config::kPixels * kUnits; i += blockDim.x)
      f(i / kUnits, i % kUnits * kUnit);
  }

  template <int kUnit>
  __device__ void bring_x(int n, int p0, int q0, int first) const {
    const int h0 = p0 * kStep - a.padding_h, w0 = q0 * kStep - a.padding_w;
    const T* image = a.x.data + n * a.x.n_stride + first;
    each_of_x<kUnit>([&](int pixel, int channel) {
      const int h = h0 + pixel / Config::kPatchColumns, w = w0 + pixel % Config::kPatchColumns;
      const bool inside =
          h >= 0 && h < a.x.shape.h && w >= 0 && w < a.x.shape.w && first + channel < a.x.shape.c;
      const T* from = image + h * a.x.h_stride + w * a.x.w_stride + channel;
      copy_unit<kUnit>(raw_x + pixel * a.raw_x_pitch + channel, inside ? from : a.x.data, inside);
    });
  }
  template <int kUnit>
  __device__ void bring_dy(int n, int p0, int q0, int first) const {
    const T* image = a.dy.data + n * a.dy.n_stride + first;
    each_of_dy<kUnit>([&](int pixel, int output) {
      const int p = p0 + pixel / kColumns, q = q0 + pixel % kColumns;
      const bool inside = p < a.dy.shape.h && q < a.dy.shape.w && first + output < a.dy.shape.c;
      const T* from = image + p * a.dy.h_stride + q * a.dy.w_stride + output;
      copy_unit<kUnit>(raw_dy + pixel * Config::kRawPitch + output, inside ? from : a.dy.data,
                       inside);
    });
  }

  /// Starts to copy tile `tile`, outputs from first_k and channels from first_c on; zeros where there
  /// are none.
  __device__ void bring(int tile, int first_k, int first_c) const {
    const int q0 = tile % a.tiles_along_q * kColumns, row = tile / a.tiles_along_q;
    const int p0 = row % a.tiles_along_p * Config::kRows, n = row / a.tiles_along_p;
    a.x_packs ? bring_x<Config::kWide>(n, p0, q0, first_c) : bring_x<1>(n, p0, q0, first_c);
    a.dy_packs ? bring_dy<Config::kWide>(n, p0, q0, first_k) : bring_dy<1>(n, p0, q0, first_k);
  }
  /// Makes TF32 of what this thread has copied, and waited for.
  __device__ void round() const {
    a.x_packs ? round_x<Config::kWide>() : round_x<1>();
    a.dy_packs ? round_dy<Config::kWide>() : round_dy<1>();
  }
  template <int kUnit>
  __device__ void round_x() const {
    each_of_x<kUnit>([&](int pixel, int channel) {
      round_unit<kUnit>(raw_x + pixel * a.raw_x_pitch + channel, x + pixel * a.x_pitch + channel);
    });
  }
  template <int kUnit>
  __device__ void round_dy() const {
    each_of_dy<kUnit>([&](int pixel, int k) {
      round_unit<kUnit>(raw_dy + pixel * Config::kRawPitch + k, dy + pixel * Config::kPitch + k);
    });
  }
};

/// The halves of the warps that share rows hand their sums over until the first has them all.
template <int kFragments>
__device__ void add_splits(float (&sum)[kFragments][4], int split, int splits, int warps_along_c,
                           int warp_along_c, float4* shared) {
  const int lane = threadIdx.x % kLanes;
  for (int half = splits / 2; half > 0; half /= 2) {
    float4* const own =
        shared + ((split % half * warps_along_c + warp_along_c) * kFragments) * kLanes;
    if (split >= half && split < 2 * half) {
#pragma unroll
      for (int f = 0; f < kFragments; ++f)
        own[f * kLanes + lane] = {sum[f][0], sum[f][1], sum[f][2], sum[f][3]};
    }
    __syncthreads();
    if (split < half) {
#pragma unroll
      for (int f = 0; f < kFragments; ++f) {
        const float4 other = own[f * kLanes + lane];
        sum[f][0] += other.x;
        sum[f][1] += other.y;
        sum[f][2] += other.z;
        sum[f][3] += other.w;
      }
    }
    __syncthreads();
  }
}

#endif  // from compute capability 8.0 on

template <class T, int kSide, int kStep, int kTiles>
__global__ void __launch_bounds__(kMostWarps* kLanes, kTiles < 3 ? 2 : 1) sum_part(Arguments<T> a) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  using Its = Config<T, kSide, kStep, kTiles>;
  extern __shared__ __align__(16) float shared[];
  const int lane = threadIdx.x % kLanes, row_of_lane = lane / 4, column_of_lane = lane % 4;
  const int warp = threadIdx.x / kLanes;
  const int own_channels = warp % a.warps_along_c, split = warp / a.warps_along_c;
  const int block = blockIdx.y, parts = gridDim.x;
  const int first_k = block / a.blocks_along_c * Its::kOutputs;
  const int first_c = block % a.blocks_along_c * a.warps_along_c * 8;

  using ItsStage = Stage<T, Its, kStep>;
  const int x_floats = Its::kPatchPixels * a.x_pitch;
  const int stage_floats = x_floats + Its::kPixels * Its::kPitch;
  const auto stage = [&](int i) {
    if constexpr (Its::kInPlace) {
      float* const x = shared + i * stage_floats;
      return ItsStage{a, x, x + x_floats, x, x + x_floats};
    } else {
      const int raw_x = Its::kPatchPixels * a.raw_x_pitch;
      const int raw = raw_x + Its::kPixels * Its::kRawPitch;
      T* const came = reinterpret_cast<T*>(shared + stage_floats) + i * raw;
      return ItsStage{a, came, came + raw_x, shared, shared + x_floats};
    }
  };

  float sum[Its::kFragments][4] = {};
  int current = 0;
  stage(0).bring(blockIdx.x, first_k, first_c);
  commit_copies();
  for (int tile = blockIdx.x; tile < a.tiles; tile += parts) {
    if (tile + parts < a.tiles) stage(1 - current).bring(tile + parts, first_k, first_c);
    commit_copies();
    wait_for_copies<1>();
    const auto now = stage(current);
    now.round();
    __syncthreads();
    for (int row = split; row < Its::kRows; row += a.splits) {
      const float* dy = now.dy + (row * kColumns + column_of_lane) * Its::kPitch + row_of_lane;
      float outputs[kTiles][4];
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
        outputs[m][0] = dy[16 * m];
        outputs[m][1] = dy[16 * m + 8];
        outputs[m][2] = dy[16 * m + 4 * Its::kPitch];
        outputs[m][3] = dy[16 * m + 8 + 4 * Its::kPitch];
      }
#pragma unroll
      for (int r = 0; r < kSide; ++r) {
        const int pixel = (row * kStep + r) * Its::kPatchColumns + column_of_lane * kStep;
        const float* x = now.x + pixel * a.x_pitch + own_channels * 8 + row_of_lane;
#pragma unroll
        for (int s = 0; s < kSide; ++s) {
          const float low = x[s * a.x_pitch], high = x[(s + 4 * kStep) * a.x_pitch];
#pragma unroll
          for (int m = 0; m < kTiles; ++m)
            multiply_add_tf32(sum[(r * kSide + s) * kTiles + m], outputs[m], low, high);
        }
      }
    }
    __syncthreads();  // before the next tile but one is copied over this one
    current = 1 - current;
  }

  add_splits(sum, split, a.splits, a.warps_along_c, own_channels,
             reinterpret_cast<float4*>(shared));
  if (split != 0) return;
  const std::int64_t place = (std::int64_t{blockIdx.x} * gridDim.y + block) * a.warps_along_c;
  float4* const to = reinterpret_cast<float4*>(a.sums + (place + own_channels) * Its::kFloats);
#pragma unroll
  for (int f = 0; f < Its::kFragments; ++f)
    to[f * kLanes + lane] = {sum[f][0], sum[f][1], sum[f][2], sum[f][3]};
#endif
}

/// Puts a number of the fragments where it belongs in y, if it belongs anywhere.
template <int kSide, int kTiles>
struct Unravel {
  View<float> y;
  int warps_along_c, blocks_along_c;

  __device__ void operator()(std::int64_t element, float sum) const {
    int at = static_cast<int>(element);
    const int i = at % 4, lane = at / 4 % kLanes;
    at /= 4 * kLanes;
    const int m = at % kTiles, tap = at / kTiles % (kSide * kSide);
    at /= kTiles * kSide * kSide;
    const int warp = at % warps_along_c, block = at / warps_along_c;
    const int k = (block / blocks_along_c * kTiles + m) * 16 + lane / 4 + i / 2 * 8;
    const int c = (block % blocks_along_c * warps_along_c + warp) * 8 + lane % 4 * 2 + i % 2;
    if (k < y.shape.n && c < y.shape.c) pixel_of(y, k, tap / kSide, tap % kSide)[c] = sum;
  }
};

template <class T, int kSide, int kStep, int kTiles>
void launch(const char* kernel_name, const CudaWeightGradientCall& call) {
  using Its = Config<T, kSide, kStep, kTiles>;
  Arguments<T> a{call.x.view<const T>(), call.dy.view<const T>(), call.parameters.padding_h,
                 call.parameters.padding_w};
  const Shape &x = a.x.shape, &dy = a.dy.shape;
  a.tiles_along_p = divide_up(dy.h, Its::kRows);
  a.tiles_along_q = divide_up(dy.w, kColumns);
  a.tiles = dy.n * a.tiles_along_p * a.tiles_along_q;
  a.blocks_along_c = divide_up(x.c, 8 * kMostWarps);
  a.warps_along_c = divide_up(divide_up(x.c, 8), a.blocks_along_c);
  a.splits = 1;
  while (2 * a.splits * a.warps_along_c <= kMostWarps && 2 * a.splits <= Its::kRows) a.splits *= 2;
  const int channels = 8 * a.warps_along_c;
  a.x_pitch = kStep == 2 ? channels + 4 : a.warps_along_c % 2 == 0 ? channels + 8 : channels;
  a.raw_x_pitch = Its::kInPlace ? a.x_pitch : channels;
  a.x_packs = packs(a.x) && x.c % Its::kWide == 0;
  a.dy_packs = packs(a.dy) && dy.c % Its::kWide == 0;

  const int blocks = divide_up(dy.c, Its::kOutputs) * a.blocks_along_c;
  const int parts = std::min(a.tiles, std::max(1, kWeightGradientBlocks / blocks));
  const std::int64_t elements = std::int64_t{blocks} * a.warps_along_c * Its::kFloats;
  const Shape of_sums{parts, blocks, a.warps_along_c, Its::kFloats};
  const Tensor sums = Tensor::empty(of_sums, DType::kF32, call.y.device());
  a.sums = sums.view<float>().data;

  constexpr int kFloat = sizeof(float);
  const int stage = kFloat * (Its::kPatchPixels * a.x_pitch + Its::kPixels * Its::kPitch);
  const int came = static_cast<int>(sizeof(T)) *
                   (Its::kPatchPixels * a.raw_x_pitch + Its::kPixels * Its::kRawPitch);
  const int stages = Its::kInPlace ? 2 * stage : stage + 2 * came;
  const int handed_over = kFloat * a.splits / 2 * a.warps_along_c * Its::kFloats;
  const int bytes = std::max(stages, handed_over);
  const auto kernel = sum_part<T, kSide, kStep, kTiles>;
  cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
             kernel_name);
  kernel<<<dim3(parts, blocks), a.splits * a.warps_along_c * kLanes, bytes, call.stream>>>(a);
  cuda_check(cudaGetLastError(), kernel_name);
  launch_add_parts(sums.view<const float>().data, parts, elements,
                   Unravel<kSide, kTiles>{call.y.view<float>(), a.warps_along_c, a.blocks_along_c},
                   call.stream);
}

/// With so many outputs a block that blocks share them evenly.
template <class T, int kSide, int kStep>
void launch(const char* kernel_name, const CudaWeightGradientCall& call) {
  const int tiles = divide_up(call.dy.shape().c, 16);
  switch (divide_up(tiles, divide_up(tiles, 3))) {
    case 1:
      return launch<T, kSide, kStep, 1>(kernel_name, call);
    case 2:
      return launch<T, kSide, kStep, 2>(kernel_name, call);
    default:
      return launch<T, kSide, kStep, 3>(kernel_name, call);
  }
}

using Launch = void (*)(const char* kernel_name, const CudaWeightGradientCall& call);

/// Null for what there is no kernel for.
template <class T>
Launch launch_of(const CudaWeightGradientParameters& op) {
  if (op.kernel_h != op.kernel_w) return nullptr;
  if (op.stride == 1 && op.kernel_h == 1) return launch<T, 1, 1>;
  if (op.stride == 1 && op.kernel_h == 3) return launch<T, 3, 1>;
  if (op.stride == 2 && op.kernel_h == 2) return launch<T, 2, 2>;
  if (op.stride == 2 && op.kernel_h == 3) return launch<T, 3, 2>;
  return nullptr;
}

}  // namespace mend::weight_gradient
