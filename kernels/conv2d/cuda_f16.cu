// cuda_stream.cuh's convolution of f16 and bf16.
#include "kernels/conv2d/cuda_stream.cuh"

namespace mend {
namespace conv2d_stream {
namespace {

constexpr const char* kName = "conv2d/cuda_f16";

/// The blocks that cuda_stream_plan.cpp may choose.
template <class T, int kRows, int kWarpsP>
void launch_block(const CudaConv2dCall& call, const CudaStreamTile& tile) {
  constexpr bool kIsLarge = kRows == 4, kIsSmall = kWarpsP == 2;
  if constexpr (kIsLarge || kIsSmall) {
    if (tile.block == 8) return launch<Tile<T, kRows, kWarpsP, 8>>(call, tile, kName);
  }
  if constexpr (!kIsSmall) {
    if (tile.block == 64) return launch<Tile<T, kRows, kWarpsP, 64>>(call, tile, kName);
  }
  if (tile.block == 16) return launch<Tile<T, kRows, kWarpsP, 16>>(call, tile, kName);
  launch<Tile<T, kRows, kWarpsP, 32>>(call, tile, kName);
}

template <class T>
void launch_type(const CudaConv2dCall& call) {
  const CudaStreamTile tile = tile_of(call, kName);
  if (tile.rows == 4) return launch_block<T, 4, 4>(call, tile);
  if (tile.warps_p == 4) return launch_block<T, 2, 4>(call, tile);
  launch_block<T, 2, 2>(call, tile);
}

}  // namespace
}  // namespace conv2d_stream

void launch_conv2d_f16(const CudaConv2dCall& call) {
  if (call.x.dtype() == DType::kF16) return conv2d_stream::launch_type<Half>(call);
  conv2d_stream::launch_type<BFloat16>(call);
}

void launch_conv2d_f16_pack(const CudaConv2dPacking& packing) {
  using namespace conv2d_stream;
  if (packing.packed.dtype() == DType::kF16) return launch_pack<Half>(packing, kName);
  launch_pack<BFloat16>(packing, kName);
}

}  // namespace mend
