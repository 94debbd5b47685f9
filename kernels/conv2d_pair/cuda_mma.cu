// Two 3x3 convolutions of f16 or bf16 in one kernel, on tensor cores: the image between them stays in shared memory.
//
// What limits two launches of conv2d/cuda_f16 on large images of few channels: DRAM. C to C channels do 4.5·C FLOPs for
// each byte of x and y, 288 with 64 channels and 72 with 16; mma.sync does 200 on an H100 while DRAM gives one. The
// image between the layers is written and read again: half of all bytes. Here:
//
//   - A block computes 14 x 14 pixels of y (14 x 30 up to 32 channels, for whose pixels there is more room), and
//     before that the 16 x 16 (16 x 32) of the first layer that they see, from 18 x 18 (18 x 34) of x:
//
//        x, 18 x 18                  first layer, 16 x 16          y, 14 x 14
//        ┌──────────────────┐       ┌────────────────┐
//        │ halo of 2        │       │ halo of 1      │
//        │  ┌────────────┐  │ ───▶  │ ┌────────────┐ │  ───▶  ┌────────────┐
//        │  │            │  │       │ │            │ │        │            │
//        │  └────────────┘  │       │ └────────────┘ │        └────────────┘
//        └──────────────────┘       └────────────────┘
//        by cp.async, zeros          rounded to the type;       scaled, residual added,
//        beyond the border           zeros beyond the border    16-byte stores
//
//     All three lie in the same shared memory, one after the other: the first layer's sums are all in registers
//     (at most 128 a thread) when the patch of x is used up. 41 KB for 64 channels, and a ring of four stages of
//     weights, 24 KB: 65 KB a block, three on an H100 (by registers two), two on an A100, one on compute
//     capability 8.6 and 8.9, which have 99 KB.
//   - The price is that blocks compute each other's halo. An mma has 16 pixels of a row: the first layer's rows are
//     16 or 32, whole mma; of the second one's the last two pixels are nobody's. So for 14 x 14 pixels
//     16 x 16 + 14 x 16 are computed and 2 x 14 x 14 wanted: 1.22 times the FLOPs; for 14 x 30 1.14 times.
//   - Products are cuda_mma's: row h at shift s is loaded once and multiplied for r = 0, 1, 2. A warp has 8 rows (of
//     the second layer 7) x 16 pixels x 32 outputs (24 with 48 channels, 16 with 16): per stage, 16 channels
//     at a shift, 96 mma for 64 wavefronts of shared memory, 6144 FLOPs a wavefront; 4270 would be enough.
//   - Pixels are swizzled as in cuda_mma, in pixels of 32, 64, 96 or 128 bytes: eight neighbours' units of 16 bytes
//     lie in all banks once. The sums of an mma, written as 4 bytes of 8 pixels, do so too.
//   - Each block asks L2 for the weights of both layers, 144 KB with 64 channels, beside 66 KB of pixels. At 24 bytes a
//     cycle for each multiprocessor that takes 60% of the time of its 8640 mma.
//
// Every output is one chain of mma in the order c, s, r, as in cuda_mma and cuda_f16: with the activations that are
// slopes the bits are those of two launches of cuda_f16.
//
// Next ideas: on GPUs with 227 KB for a block the weights of both layers stay (144 KB), two patches beside them (81
// KB), and the next tile's comes while this one is multiplied; three and more layers, where channels are few.
#include "engine/cuda/check.h"
#include "kernels/conv2d_pair/cuda_mma_epilogue.cuh"
#include "kernels/conv2d_pair/cuda_mma_tile.cuh"
#include "kernels/cuda/launch.h"

namespace mend {
namespace conv2d_pair_mma {
namespace {

template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, 2) pair_3x3(Arguments<T> a) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  extern __shared__ __align__(128) char shared[];
  char* const pixels = shared;
  const int warp = threadIdx.x / 32;
  const Share share{warp / (Tile::kWarpsQ * Tile::kWarpsK), warp / Tile::kWarpsK % Tile::kWarpsQ,
                    warp % Tile::kWarpsK * Tile::kOutputs, static_cast<int>(threadIdx.x % 32)};
  const int tile_row = blockIdx.x / a.tiles_along_q;
  const Origin origin{tile_row / a.tiles_along_p, tile_row % a.tiles_along_p * Tile::kTileRows,
                      static_cast<int>(blockIdx.x % a.tiles_along_q) * Tile::kTileColumns};

  load_pixels<Tile, Tile::kPatchRows, Tile::kPatchColumns, Tile::kPatchRowBytes>(
      a.x, a.x_packs, origin.n, origin.p - 2, origin.q - 2, pixels);
  Ring<Tile> ring(a.first, a.second, pixels + Tile::kPixelsBytes);
  for (int stage = 0; stage < Tile::kSlots - 1; ++stage) ring.ask();  // the first has the patch too
  {
    float sum[Tile::kFirstRows][Tile::kColumns][4];
    multiply_layer<T, Tile, Tile::kPatchRowBytes>(a.first, share, pixels, ring, sum);
    __syncthreads();  // nobody reads the patch any more
    activate_sums<T, Tile>(a.first, share, pixels, sum);
    write_middle<T, Tile>(a, origin, share, pixels, sum);
  }
  float sum[Tile::kSecondRows][Tile::kColumns][4];
  multiply_layer<T, Tile, Tile::kMiddleRowBytes>(a.second, share, pixels, ring, sum);
  __syncthreads();  // nor the middle
  if (a.residual.data != nullptr) {
    load_pixels<Tile, Tile::kTileRows, Tile::kTileColumns, Tile::kMiddleRowBytes>(
        a.residual, a.residual_packs, origin.n, origin.p, origin.q, pixels);
    commit_copies();
    wait_for_copies<0>();
    __syncthreads();
  }
  activate_sums<T, Tile>(a.second, share, pixels, sum);
  write_result<T, Tile>(a, share, pixels, sum);
  __syncthreads();
  store_pixels<T, Tile>(a, origin, pixels);
#endif
}

constexpr const char* kName = "conv2d_pair/cuda_mma";

template <class T>
Layer<T> layer_of(const CudaConv2dPairLayer& layer) {
  return {layer.activation, layer.slope.shape().c == 1, layer.weight.view<const T>().data,
          layer.bias.view<const float>().data, layer.slope.view<const float>().data};
}

template <class T, class Tile>
void launch(const CudaConv2dPairCall& call) {
  Arguments<T> a{};
  a.first = layer_of<T>(call.first);
  a.second = layer_of<T>(call.second);
  a.scale = call.scale;
  a.x = call.x.view<const T>();
  a.residual = call.residual.view<const T>();
  a.y = call.y.view<T>();
  a.x_packs = packs(a.x);
  a.y_packs = packs(a.y);
  a.residual_packs = packs(a.residual);
  a.tiles_along_q = divide_up(a.y.shape.w, Tile::kTileColumns);
  a.tiles_along_p = divide_up(a.y.shape.h, Tile::kTileRows);

  const auto kernel = pair_3x3<T, Tile>;
  cuda_check(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Tile::kSharedBytes),
      kName);
  const int blocks = a.y.shape.n * a.tiles_along_p * a.tiles_along_q;
  kernel<<<blocks, Tile::kThreads, Tile::kSharedBytes, call.stream>>>(a);
  cuda_check(cudaGetLastError(), kName);
}

template <class T>
void launch(const CudaConv2dPairCall& call) {
  switch (call.y.shape().c) {
    case 16:
      return launch<T, Tile<16>>(call);
    case 32:
      return launch<T, Tile<32>>(call);
    case 48:
      return launch<T, Tile<48>>(call);
    default:
      return launch<T, Tile<64>>(call);
  }
}

}  // namespace
}  // namespace conv2d_pair_mma

void launch_conv2d_pair_mma(const CudaConv2dPairCall& call) {
  if (call.y.dtype() == DType::kF16) return conv2d_pair_mma::launch<Half>(call);
  conv2d_pair_mma::launch<BFloat16>(call);
}

}  // namespace mend
