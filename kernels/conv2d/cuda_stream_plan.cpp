// A model of the time of cuda_tf32 and cuda_f16, in cycles of one multiprocessor of an H100.
#include "kernels/conv2d/cuda_stream_plan.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/cuda/launch.h"

namespace mend {
namespace {

constexpr double kClock = 1.7e9;
constexpr double kMmaCycles =
    1.7;  // of m16n8k8 in TF32, of m16n8k16: mma.sync reaches 60% of the peak
constexpr double kMmaOfWarp = 8;        // between two of one warp: a quarter of the multiprocessor
constexpr double kStageLatency = 60;    // of a warp, until the first matrices of a shift have come
constexpr double kTileLatency = 1500;   // the sums' way out, and what a barrier costs
constexpr double kStartLatency = 2500;  // launch, first bytes
constexpr double kCopyCycles = 1.4;     // of a pixel's 8 copies: 22 instructions, 4 a cycle
constexpr double kPairCycles = 3;       // of a warp's pairs of sums
constexpr double kL2Bytes = 24;         // a cycle, of one multiprocessor
constexpr double kSharedOfSm = 227 << 10;
constexpr int kWarpsOfSm = 16;  // with 128 registers a thread

/// seconds: as other rungs' models have it; with_waiting: with the time until the first products.
struct Modelled {
  double seconds, with_waiting;
};

Modelled modelled(const CudaStreamTile& tile, const Shape& x, const Shape& y, int number_bytes,
                  const CudaStreamLimits& limits) {
  const int depths = divide_up(x.c, stream_depth(number_bytes)), warps = tile.threads() / 32;
  const int blocks_along_k = divide_up(y.c, tile.block);
  const std::int64_t tiles = std::int64_t{y.n} * divide_up(y.h, tile.tile_rows()) *
                             divide_up(y.w, tile.columns());  // of pixels
  const auto bytes = static_cast<double>(tile.shared_bytes(x.c, number_bytes)) + 1024;
  const int resident =
      std::max(1, std::min(static_cast<int>(kSharedOfSm / bytes), kWarpsOfSm / warps));
  // As launch() deals them out: each block the same number of tiles, and as many blocks as fit at once.
  const std::int64_t sm = limits.multiprocessors;
  const std::int64_t most = std::max<std::int64_t>(1, resident * sm / blocks_along_k);
  const std::int64_t of_block = (tiles + most - 1) / most;
  const std::int64_t blocks = (tiles + of_block - 1) / of_block * blocks_along_k;
  const auto of_sm = static_cast<double>(of_block * ((blocks + sm - 1) / sm));  // of the fullest
  const double rounds = std::max(1.0, of_sm / resident);

  // A stage: the channels of one mma, one shift, all rows of taps.
  const int stages = depths * 3, groups = tile.block / 8 / tile.warps_k();
  const double mma = 3.0 * tile.rows * groups;
  const double wavefronts = 4.0 * (tile.rows + 2) + 6.0 * groups;
  const double stage = std::max(kMmaCycles * mma, wavefronts) * warps;
  const double stage_of_warp = kStageLatency + kMmaOfWarp * mma;
  // Beside the products, instructions: addresses of the copies, and the epilogue.
  const int chunks = divide_up(x.c, stream_chunk(number_bytes));
  const double copying = kCopyCycles * chunks * tile.patch_pixels();
  const double epilogue = kPairCycles * tile.rows * groups * 2 * warps;
  const double computing =
      std::max(of_sm * (stages * stage + copying + epilogue), rounds * stages * stage_of_warp);

  const double patch = static_cast<double>(tile.patch_pixels()) * number_bytes * x.c;
  const double weights = static_cast<double>(tile.block) / 8 * depths * kStreamGroupBytes;
  const bool weights_stay = x.c <= 2 * stream_chunk(number_bytes);
  const double at_once = std::min<double>(of_sm, resident);
  const double loading = (of_sm * patch + (weights_stay ? at_once : of_sm) * weights) / kL2Bytes;
  // Nothing is there to be multiplied while the blocks' first pieces of the channels come.
  const double waiting = at_once * (patch + weights) / chunks / kL2Bytes;
  const double latency = rounds * kTileLatency + kStartLatency;
  return {(std::max(computing, loading) + latency) / kClock,
          (waiting + std::max(computing, loading - waiting) + latency) / kClock};
}

}  // namespace

CudaStreamPlan conv2d_cuda_stream_plan(const Shape& x, const Shape& y, int number_bytes,
                                       const CudaStreamLimits& limits) {
  const bool in_pairs = number_bytes == 2 && y.c > 8;  // groups of 8 outputs: 16, 32 or 64
  constexpr struct {
    int rows, warps_p, least, most;  // blocks that there are
  } kShapes[] = {{4, 4, 8, 64}, {2, 4, 16, 64}, {2, 2, 8, 32}};
  CudaStreamPlan best{};
  double least = std::numeric_limits<double>::infinity();
  for (const auto& shape : kShapes) {
    for (const int block : {8, 16, 24, 32, 48, 64}) {
      if (block < shape.least || block > shape.most) continue;
      if (number_bytes == 2 && (in_pairs ? block % 16 != 0 || block == 48 : block != 8)) continue;
      for (const bool narrow : {false, true}) {
        const CudaStreamTile tile{shape.rows, shape.warps_p, block, narrow};
        if (tile.shared_bytes(x.c, number_bytes) > limits.shared_bytes) continue;
        const auto [seconds, with_waiting] = modelled(tile, x, y, number_bytes, limits);
        if (with_waiting >= least) continue;
        least = with_waiting;
        best = {tile, seconds};
      }
    }
  }
  return best;
}

}  // namespace mend
