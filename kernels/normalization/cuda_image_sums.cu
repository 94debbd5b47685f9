#include <algorithm>
#include <numeric>

#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/run.cuh"
#include "kernels/normalization/cuda_image_sums.cuh"

namespace mend {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kRun = 8;  ///< loads of a thread that are under way, and numbers added in f32
constexpr int kBlocks =
    264;  ///< fill an H100 twice; the same on all GPUs, or the bits would differ

/// Blocks are numbered [image][tile][split].
template <class T>
struct Work {
  Walk<1> pixels;  ///< of an image
  const T* x;
  std::int64_t image_stride;
  DistanceSums* parts;  ///< [image][split · pieces + piece][group]
  int channels, groups, width;
  int tile, tiles;   ///< channels of a block, whole groups or a piece of one
  int pieces;        ///< tiles of a group
  int units, lanes;  ///< threads side by side in a tile, and pixels at a time
  std::uint32_t splits, length;
  bool about_first;
};

__device__ void add(DistanceSums& to, const DistanceSums& more) {
  to.sum += more.sum;
  to.squares += more.squares;
}

template <int kWidth, class T>
__global__ void __launch_bounds__(kThreads) image_sums(Work<T> work) {
  __shared__ DistanceSums shared[kWidth][kThreads];
  const std::uint32_t block = blockIdx.x / work.splits, split = blockIdx.x - block * work.splits;
  const int image = static_cast<int>(block) / work.tiles;
  const int tile = static_cast<int>(block) - image * work.tiles;
  const int lane = static_cast<int>(threadIdx.x) / work.units;
  const int unit = static_cast<int>(threadIdx.x) - lane * work.units;
  const int c = tile * work.tile + unit * kWidth;
  DistanceSums sums[kWidth] = {};
  if (lane < work.lanes && c < work.channels) {
    const T* const of_image = work.x + image * work.image_stride;
    float about[kWidth] = {};
#pragma unroll
    for (int e = 0; e < kWidth; ++e) {
      if (work.about_first) about[e] = as_float(of_image[(c + e) / work.width * work.width]);
    }
    const std::uint32_t step = static_cast<std::uint32_t>(work.lanes);
    const std::uint32_t last = min((split + 1) * work.length, work.pixels.count);
    for (std::uint32_t begin = split * work.length + lane; begin < last; begin += kRun * step) {
      float values[kRun][kWidth];
#pragma unroll
      for (int j = 0; j < kRun; ++j) {
        const std::uint32_t pixel = begin + j * step;
        std::int64_t at[1] = {0};
        if (pixel < last) work.pixels.locate(pixel, at);
        const auto run = as_floats(*reinterpret_cast<const Run<T, kWidth>*>(of_image + at[0] + c));
#pragma unroll
        for (int e = 0; e < kWidth; ++e) values[j][e] = pixel < last ? run.values[e] : about[e];
      }
#pragma unroll
      for (int e = 0; e < kWidth; ++e) {
        float sum = 0, squares = 0;
#pragma unroll
        for (int j = 0; j < kRun; ++j) {
          const float distance = values[j][e] - about[e];
          sum += distance;
          squares = fmaf(distance, distance, squares);
        }
        add(sums[e], {sum, squares});
      }
    }
  }
#pragma unroll
  for (int e = 0; e < kWidth; ++e) shared[e][threadIdx.x] = sums[e];
  for (int left = work.lanes; left > 1;) {  // lanes fold their upper half onto the lower
    const int half = (left + 1) / 2;
    __syncthreads();
    if (lane + half < left) {
#pragma unroll
      for (int e = 0; e < kWidth; ++e) {
        add(shared[e][threadIdx.x], shared[e][threadIdx.x + half * work.units]);
      }
    }
    left = half;
  }
  __syncthreads();
  const int piece = tile % work.pieces, first_group = tile * work.tile / work.width;
  const std::int64_t row = (std::int64_t{image} * work.splits + split) * work.pieces + piece;
  DistanceSums* const parts = work.parts + row * work.groups;
  if (work.width == 1) {
    for (int k = static_cast<int>(threadIdx.x); k < work.tile; k += kThreads) {
      if (first_group + k < work.groups) parts[first_group + k] = shared[k % kWidth][k / kWidth];
    }
    return;
  }
  const int members = min(work.width, work.tile), of_tile = work.tile / members;
  for (int g = static_cast<int>(threadIdx.x) / 32; g < of_tile; g += kWarps) {
    if (first_group + g >= work.groups) break;
    DistanceSums sum{0, 0};
    for (int k = static_cast<int>(threadIdx.x) % 32; k < members; k += 32) {
      const int of_group = g * members + k;
      add(sum, shared[of_group % kWidth][of_group / kWidth]);
    }
    sum = sum_of_warp(sum);
    if (threadIdx.x % 32 == 0) parts[first_group + g] = sum;
  }
}

/// Channels of a block: whole groups, or a part of a group that divides it; multiples of `step`, 1024 at most
/// if that is 4, else 256. 0 if there are none.
int tile_of(int channels, int width, int step) {
  const int most = kThreads * step, whole = std::lcm(width, step);
  if (whole <= most) return std::min(most / whole, divide_up(channels, whole)) * whole;
  int tile = most;
  while (tile > 0 && width % tile != 0) tile -= step;
  return tile;
}

template <class T>
ImageSums<T> launch(const View<const T>& x, int groups, bool as_one, bool about_first,
                    Tensor& memory) {
  const Shape& s = x.shape;
  CudaDevice& device = current_cuda_device();
  const Shape pixels{as_one ? s.n : 1, s.h, s.w, 1};
  View<const T> image = x;
  image.shape = pixels;
  Work<T> work{.pixels = Walk<1>(pixels, {Strides(image)}),
               .x = x.data,
               .image_stride = as_one ? 0 : x.n_stride,
               .parts = nullptr,
               .channels = s.c,
               .groups = groups,
               .width = s.c / groups,
               .tile = 0,
               .tiles = 1,
               .pieces = 1,
               .units = 1,
               .lanes = 1,
               .splits = 1,
               .length = 0,
               .about_first = about_first};
  const int images = as_one ? 1 : s.n;
  const bool wide = s.c % 4 == 0 && runs<4>(x) && tile_of(s.c, work.width, 4) > 0;
  const int numbers = wide ? 4 : 1;
  work.tile = tile_of(s.c, work.width, numbers);
  work.tiles = divide_up(s.c, work.tile);
  work.pieces = std::max(1, work.width / work.tile);
  work.units = work.tile / numbers;
  work.lanes = static_cast<int>(
      std::min(static_cast<std::uint32_t>(kThreads / work.units), work.pixels.count));
  const auto ceil_div = [](std::uint32_t a, std::uint32_t b) { return (a + b - 1) / b; };
  const std::uint32_t useful =
      ceil_div(work.pixels.count, static_cast<std::uint32_t>(work.lanes * kRun));
  const auto most = static_cast<std::uint32_t>(std::max(1, kBlocks / (images * work.tiles)));
  work.length = ceil_div(work.pixels.count, std::clamp(useful, 1u, most));
  work.splits = ceil_div(work.pixels.count, work.length);

  const int rows = static_cast<int>(work.splits) * work.pieces;
  const std::int64_t bytes = std::int64_t{images} * rows * groups * sizeof(DistanceSums);
  memory = Tensor::empty(vector_shape(static_cast<int>(bytes)), DType::kU8, device);
  work.parts = reinterpret_cast<DistanceSums*>(memory.storage()->data());
  const auto blocks = static_cast<unsigned>(images * work.tiles) * work.splits;
  (wide ? image_sums<4, T> : image_sums<1, T>)<<<blocks, kThreads, 0, device.stream()>>>(work);
  cuda_check(cudaGetLastError(), "sums over the pixels of images");
  return {.parts = work.parts,
          .first = x.data,
          .image_stride = work.image_stride,
          .images = images,
          .rows = rows,
          .groups = groups,
          .width = work.width,
          .count = static_cast<double>(pixels.pixels()) * work.width};
}

}  // namespace

template <class T>
ImageSums<T> launch_image_sums(const View<const T>& x, int groups, bool as_one, Tensor& memory) {
  return launch(x, groups, as_one, true, memory);
}
template ImageSums<float> launch_image_sums(const View<const float>&, int, bool, Tensor&);
template ImageSums<Half> launch_image_sums(const View<const Half>&, int, bool, Tensor&);
template ImageSums<BFloat16> launch_image_sums(const View<const BFloat16>&, int, bool, Tensor&);

ImageSums<float> launch_image_squares(const View<const float>& x, Tensor& memory) {
  return launch(x, x.shape.c, false, false, memory);
}

}  // namespace mend
