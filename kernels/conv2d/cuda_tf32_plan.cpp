// A model of cuda_tf32's time, in cycles of one multiprocessor of an H100.
#include "kernels/conv2d/cuda_tf32_plan.h"

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/launch.h"

namespace mend {
namespace {

constexpr double kClock = 1.7e9;
constexpr double kMmaCycles = 1.7;      // of m16n8k8 in TF32: mma.sync reaches 60% of the peak
constexpr double kMmaOfWarp = 8;        // between two of one warp: a quarter of the multiprocessor
constexpr double kStageLatency = 60;    // of a warp, until the first matrices of a shift have come
constexpr double kTileLatency = 1500;   // the sums' way out, and what a barrier costs
constexpr double kStartLatency = 2500;  // launch, first bytes
constexpr double kCopyCycles = 1.4;     // of a pixel's 8 copies: 22 instructions, 4 a cycle
constexpr double kPairCycles = 3;       // of a warp's pairs of sums
constexpr double kL2Bytes = 24;         // a cycle, of one multiprocessor
constexpr double kSharedOfSm = 227 << 10;
constexpr int kWarpsOfSm = 16;  // with 128 registers a thread

double seconds_of(const CudaTf32Tile& tile, const Shape& x, const Shape& y,
                  const CudaTf32Limits& limits) {
  const int depths = divide_up(x.c, kTf32Depth), warps = tile.threads() / 32;
  const int blocks_along_k = divide_up(y.c, tile.block);
  const std::int64_t tiles = std::int64_t{y.n} * divide_up(y.h, tile.tile_rows()) *
                             divide_up(y.w, tile.columns()) * blocks_along_k;
  const auto bytes = static_cast<double>(tile.shared_bytes(x.c)) + 1024;
  const int resident =
      std::max(1, std::min(static_cast<int>(kSharedOfSm / bytes), kWarpsOfSm / warps));
  const std::int64_t sm = limits.multiprocessors;
  const auto of_sm = static_cast<double>((tiles + sm - 1) / sm);  // tiles
  const double rounds = std::max(1.0, of_sm / resident);

  // A stage: 8 channels, one shift, all rows of taps.
  const int stages = depths * 3, groups = tile.block / 8 / tile.warps_k();
  const double mma = 3.0 * tile.rows * groups;
  const double wavefronts = 4.0 * (tile.rows + 2) + 6.0 * groups;
  const double stage = std::max(kMmaCycles * mma, wavefronts) * warps;
  const double stage_of_warp = kStageLatency + kMmaOfWarp * mma;
  // Beside the products, instructions: addresses of the copies, and the epilogue.
  const int chunks = divide_up(x.c, kTf32Chunk);
  const double copying = kCopyCycles * chunks * tile.patch_pixels();
  const double epilogue = kPairCycles * tile.rows * groups * 2 * warps;
  const double computing =
      std::max(of_sm * (stages * stage + copying + epilogue), rounds * stages * stage_of_warp);

  const double patch = tile.patch_pixels() * 4.0 * x.c;
  const double weights = static_cast<double>(tile.block) / 8 * depths * kTf32GroupBytes;
  const bool weights_stay = x.c <= 2 * kTf32Chunk;
  const double loading =
      (of_sm * patch + (weights_stay ? std::min<double>(of_sm, resident) : of_sm) * weights) /
      kL2Bytes;
  const double cycles = std::max(computing, loading) + rounds * kTileLatency + kStartLatency;
  return cycles / kClock;
}

}  // namespace

CudaTf32Plan conv2d_cuda_tf32_plan(const Shape& x, const Shape& y, const CudaTf32Limits& limits) {
  constexpr struct {
    int rows, warps_p, least, most;  // blocks that there are
  } kShapes[] = {{4, 4, 8, 64}, {2, 4, 16, 64}, {2, 2, 8, 32}};
  CudaTf32Plan best{{}, 1e9};
  for (const auto& shape : kShapes) {
    for (const int block : {8, 16, 24, 32, 48, 64}) {
      if (block < shape.least || block > shape.most) continue;
      for (const bool narrow : {false, true}) {
        const CudaTf32Tile tile{shape.rows, shape.warps_p, block, narrow};
        if (tile.shared_bytes(x.c) > limits.shared_bytes) continue;
        const double seconds = seconds_of(tile, x, y, limits);
        if (seconds < best.seconds) best = {tile, seconds};
      }
    }
  }
  return best;
}

}  // namespace mend
