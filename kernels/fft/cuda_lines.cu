// One pass of the two-dimensional transform: all lines of one direction, several lines or channels of a block in shared
// memory (cuda_line.cuh). Image and half spectrum cross the memory twice, once along rows, once along columns, as in
// cpu_bundles.cpp.
//
// A lane of a row is two real channels, which are one complex line: they lie side by side in x, and so do their spectra
// in y, so that a thread reads 8 bytes and writes 16. A lane of a column is a channel's spectrum. Blocks have so many
// lanes that a warp reads 128 bytes or more side by side, up to lines of 256; of longer ones half as many with each
// doubling.
//
// Next ideas: the first stage from the registers that x is read to, the last one into those that y is written from:
// two of the passes through shared memory less; for images of up to 64 x 64, rows and columns in one kernel.
#include <algorithm>
#include <cstdint>

#include "engine/cuda/check.h"
#include "kernels/cuda/launch.h"
#include "kernels/fft/cuda.h"
#include "kernels/fft/cuda_line.cuh"

namespace mend {
namespace {

using namespace fft;

/// Lanes are numbered (i, j, unit): unit of two channels of rows, of one of columns.
struct Pass {
  Line line;
  FastDivider units, across;
  int lanes;  ///< of an image
  int channels;
  const float* x;
  FftPlaces from;
  float* y;
  FftPlaces to;
  float scale;
  bool from_aligned, to_aligned;
};

/// Two or four numbers; of the last of an odd number of channels, only the first has a place.
struct Pair {
  bool both, aligned;

  __device__ float2 load(const float* from) const {
    return both ? load_pair(from, aligned) : float2{from[0], 0};
  }
  __device__ void store(float* to, float2 pair) const {
    if (both) {
      store_pair(to, pair, aligned);
    } else {
      to[0] = pair.x;
    }
  }
  __device__ float4 load_complex(const float* from) const {
    if (both && aligned) return *reinterpret_cast<const float4*>(from);
    if (!both) return {from[0], from[1], 0, 0};
    return {from[0], from[1], from[2], from[3]};
  }
  __device__ void store_complex(float* to, float4 pair) const {
    if (both && aligned) {
      *reinterpret_cast<float4*>(to) = pair;
      return;
    }
    to[0] = pair.x;
    to[1] = pair.y;
    if (!both) return;
    to[2] = pair.z;
    to[3] = pair.w;
  }
};

__device__ float2 scaled(float scale, float2 number) {
  return {scale * number.x, scale * number.y};
}

template <FftPass kPass>
__global__ void __launch_bounds__(kLineThreads, 4)
    transform_lines(const __grid_constant__ Pass pass) {
  constexpr bool kIsRow = kPass == FftPass::kRows || kPass == FftPass::kInverseRows;
  extern __shared__ float2 buffers[];
  const Line& line = pass.line;
  const int length = line.length;
  const Share share{static_cast<int>(threadIdx.x) & (line.lanes() - 1),
                    static_cast<int>(threadIdx.x) >> line.lanes_log2,
                    kLineThreads >> line.lanes_log2};
  const int own = static_cast<int>(blockIdx.x) * line.lanes() + share.lane;
  const bool is_there = own < pass.lanes;
  const auto [number, unit] = pass.units(is_there ? own : 0);
  const auto [i, j] = pass.across(number);
  const bool both = !kIsRow || 2 * unit + 1 < pass.channels;
  const Pair read{both, pass.from_aligned}, written{both, pass.to_aligned};
  const float* from = pass.x + blockIdx.y * pass.from.image + i * pass.from.down +
                      j * pass.from.across + unit * (kPass == FftPass::kInverseRows ? 4 : 2);
  float* to = pass.y + blockIdx.y * pass.to.image + i * pass.to.down + j * pass.to.across +
              unit * (kPass == FftPass::kRows ? 4 : 2);
  float2 *x = buffers, *y = buffers + line.numbers();

  if constexpr (kPass == FftPass::kInverseRows) {
#pragma unroll 4
    for (int l = share.first; l <= length / 2; l += share.step) {
      const float4 pair =
          is_there ? read.load_complex(from + l * pass.from.step) : float4{0, 0, 0, 0};
      float2 a{pair.x, pair.y}, b{pair.z, pair.w};
      const bool alone = l == 0 || 2 * l == length;  // its own conjugate: only the real part counts
      if (alone) a.y = b.y = 0;
      x[line.at(l, share.lane)] = exchanged(joined(a, b));
      if (!alone) x[line.at(length - l, share.lane)] = exchanged(joined_conjugates(a, b));
    }
  } else {
#pragma unroll 4
    for (int e = share.first; e < length; e += share.step) {
      const float2 pair = is_there ? read.load(from + e * pass.from.step) : float2{0, 0};
      x[line.at(e, share.lane)] = kPass == FftPass::kInverseColumns ? exchanged(pair) : pair;
    }
  }
  x = run_stages(line, share, x, y);
  if (!is_there) return;
  if constexpr (kPass == FftPass::kRows) {
#pragma unroll 4
    for (int l = share.first; l <= length / 2; l += share.step) {
      const TwoSpectra spectra(x[line.at(l, share.lane)],
                               x[line.at(l == 0 ? 0 : length - l, share.lane)]);
      const float2 a = scaled(pass.scale, spectra.a), b = scaled(pass.scale, spectra.b);
      written.store_complex(to + l * pass.to.step, {a.x, a.y, b.x, b.y});
    }
  } else {
#pragma unroll 4
    for (int e = share.first; e < length; e += share.step) {
      const float2 pair = scaled(pass.scale, x[line.at(e, share.lane)]);
      written.store(to + e * pass.to.step, kPass == FftPass::kColumns ? pair : exchanged(pair));
    }
  }
}

/// 8 as often as possible, then 4, then the primes.
void add_stages(Line& line) {
  int rest = line.length, stride = 1;
  const auto add = [&](int radix) {
    for (; rest % radix == 0; rest /= radix, stride *= radix) {
      line.stage[line.stages++] = {radix, stride, FastDivider(stride)};
    }
  };
  add(8);
  add(4);
  for (int prime = 2; rest > 1; ++prime) add(prime);
}

/// 2048 numbers, a butterfly of radix 8 for each thread; but 16 lanes, 128 bytes, as long as there is room.
int lanes_log2_of(int length) {
  const auto log2 = [](int numbers, int most) {
    int bits = 0;
    while (bits < most && 2 << bits <= numbers) ++bits;
    return bits;
  };
  return std::max(log2(2048 / length, 5), log2(kMostFftLine / length, 4));
}

/// Whether all places are at multiples of so many numbers.
bool aligned_to(int numbers, const float* data, const FftPlaces& places) {
  return reinterpret_cast<std::uintptr_t>(data) % (numbers * sizeof(float)) == 0 &&
         places.image % numbers == 0 && places.down % numbers == 0 &&
         places.across % numbers == 0 && places.step % numbers == 0;
}

}  // namespace

void launch_fft_lines(const FftCall& call, cudaStream_t stream) {
  const bool rows = call.pass == FftPass::kRows || call.pass == FftPass::kInverseRows;
  const int units = rows ? divide_up(call.channels, 2) : call.channels;
  Pass pass{};
  pass.line.length = call.length;
  pass.line.lanes_log2 = lanes_log2_of(call.length);
  pass.line.swizzle = std::max(1, 16 >> pass.line.lanes_log2) - 1;
  pass.line.roots = reinterpret_cast<const float2*>(call.roots);
  add_stages(pass.line);
  pass.units = FastDivider(units);
  pass.across = FastDivider(call.across);
  pass.lanes = call.down * call.across * units;
  pass.channels = call.channels;
  pass.x = call.x;
  pass.from = call.from;
  pass.y = call.y;
  pass.to = call.to;
  pass.scale = call.scale;
  pass.from_aligned = aligned_to(call.pass == FftPass::kInverseRows ? 4 : 2, call.x, call.from);
  pass.to_aligned = aligned_to(call.pass == FftPass::kRows ? 4 : 2, call.y, call.to);
  const auto launch = [&](auto run) {
    const auto bytes = static_cast<int>(2 * pass.line.numbers() * sizeof(float2));
    cuda_check(cudaFuncSetAttribute(run, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
               "fft/cuda_lines");
    const dim3 blocks(divide_up(pass.lanes, pass.line.lanes()), call.images);
    run<<<blocks, kLineThreads, bytes, stream>>>(pass);
    cuda_check(cudaGetLastError(), "fft/cuda_lines");
  };
  switch (call.pass) {
    case FftPass::kRows:
      return launch(transform_lines<FftPass::kRows>);
    case FftPass::kColumns:
      return launch(transform_lines<FftPass::kColumns>);
    case FftPass::kInverseColumns:
      return launch(transform_lines<FftPass::kInverseColumns>);
    case FftPass::kInverseRows:
      return launch(transform_lines<FftPass::kInverseRows>);
  }
}

}  // namespace mend
