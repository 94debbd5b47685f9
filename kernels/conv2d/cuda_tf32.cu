// cuda_stream.cuh's convolution of f32, in TF32.
#include "kernels/conv2d/cuda_stream.cuh"

namespace mend {
namespace conv2d_stream {
namespace {

constexpr const char* kName = "conv2d/cuda_tf32";

/// The blocks that cuda_stream_plan.cpp may choose.
template <int kRows, int kWarpsP>
void launch_block(const CudaConv2dCall& call, const CudaStreamTile& tile) {
  constexpr bool kIsLarge = kRows == 4, kIsSmall = kWarpsP == 2;
  if constexpr (kIsLarge || kIsSmall) {
    if (tile.block == 8) return launch<Tile<float, kRows, kWarpsP, 8>>(call, tile, kName);
  }
  if constexpr (!kIsSmall) {
    if (tile.block == 48) return launch<Tile<float, kRows, kWarpsP, 48>>(call, tile, kName);
    if (tile.block == 64) return launch<Tile<float, kRows, kWarpsP, 64>>(call, tile, kName);
  }
  if (tile.block == 16) return launch<Tile<float, kRows, kWarpsP, 16>>(call, tile, kName);
  if (tile.block == 24) return launch<Tile<float, kRows, kWarpsP, 24>>(call, tile, kName);
  launch<Tile<float, kRows, kWarpsP, 32>>(call, tile, kName);
}

}  // namespace
}  // namespace conv2d_stream

void launch_conv2d_tf32(const CudaConv2dCall& call) {
  using namespace conv2d_stream;
  const CudaStreamTile tile = tile_of(call, kName);
  if (tile.rows == 4) return launch_block<4, 4>(call, tile);
  if (tile.warps_p == 4) return launch_block<2, 4>(call, tile);
  launch_block<2, 2>(call, tile);
}

void launch_conv2d_tf32_pack(const CudaConv2dPacking& packing) {
  conv2d_stream::launch_pack<float>(packing, conv2d_stream::kName);
}

}  // namespace mend
