// Transposing: tiles of 32 x 32 numbers go through shared memory, so that both sides are read and written side
// by side.
#include "engine/cuda/check.h"
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/rearrange/cuda.h"

namespace mend {
namespace {

constexpr int kTile = 32, kRows = 8;

/// A block a tile, numbered [n][h][tile of columns][tile of channels].
__global__ void __launch_bounds__(kTile* kRows)
    transpose(View<const float> x, View<float> y, int column_tiles, int channel_tiles) {
  __shared__ float tile[kTile][kTile + 1];
  unsigned block = blockIdx.x;
  const int c0 = static_cast<int>(block % channel_tiles) * kTile;
  block /= channel_tiles;
  const int w0 = static_cast<int>(block % column_tiles) * kTile;
  block /= column_tiles;
  const int h = static_cast<int>(block % x.shape.h), n = static_cast<int>(block / x.shape.h);
  const int across = static_cast<int>(threadIdx.x), down = static_cast<int>(threadIdx.y);
  for (int i = down; i < kTile; i += kRows) {
    const int w = w0 + i, c = c0 + across;
    if (w < x.shape.w && c < x.shape.c) tile[i][across] = pixel_of(x, n, h, w)[c];
  }
  __syncthreads();
  for (int i = down; i < kTile; i += kRows) {
    const int w = w0 + across, c = c0 + i;
    if (w < x.shape.w && c < x.shape.c) pixel_of(y, n, h, c)[w] = tile[across][i];
  }
}

}  // namespace

void launch_transpose(const View<const float>& x, const View<float>& y, cudaStream_t stream) {
  const int column_tiles = divide_up(x.shape.w, kTile), channel_tiles = divide_up(x.shape.c, kTile);
  const std::int64_t blocks = std::int64_t{x.shape.n} * x.shape.h * column_tiles * channel_tiles;
  transpose<<<static_cast<unsigned>(blocks), dim3(kTile, kRows), 0, stream>>>(x, y, column_tiles,
                                                                              channel_tiles);
  cuda_check(cudaGetLastError(), "transpose/cuda");
}

}  // namespace mend
