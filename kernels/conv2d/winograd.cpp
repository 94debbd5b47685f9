#include "kernels/conv2d/winograd.h"

#include <algorithm>

#include "engine/cache.h"
#include "engine/parallel.h"
#include "kernels/conv2d/winograd_weight.h"

namespace mend {
namespace {

constexpr int kPack = kWinogradPack;

int round_up(int value, int step) { return (value + step - 1) / step * step; }
std::int64_t divide_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step; }

/// Tiles of a block: V and M of one pass take three quarters of a small L2, of a large one a quarter, or U, which every
/// block reads, would not stay beside them; as even as can be, and as many blocks for each thread.
int block_of(const WinogradGeometry& g) {
  constexpr std::int64_t kSmallCache = 512 << 10;
  const std::int64_t room =
      std::max(std::min(l2_cache_bytes(), kSmallCache) * 3 / 4, l2_cache_bytes() / 4);
  constexpr int kFewest = 12, kMost = 96;  // every register tile's height divides 12
  const std::int64_t tile_bytes =
      std::int64_t{g.positions()} * (g.padded_c + kWinogradChunk) * std::int64_t{sizeof(float)};
  const std::int64_t most =
      std::clamp<std::int64_t>(room / tile_bytes / kFewest * kFewest, kFewest, kMost);
  return even_block(g.tiles, most);
}

template <int kPatch>
void pack(const WinogradG<kPatch>& G, const op::Conv2d& op, View<const float> weight,
          View<float> packed) {
  const int C = weight.shape.c, K = op.outputs;
  parallel_for(round_up(K, kPack) / kPack, [&](std::int64_t block, int) {
    const int first = static_cast<int>(block) * kPack, outputs = std::min(kPack, K - first);
    for (int c = 0; c < C; ++c) {
      WinogradWeights<kPack> g{};
      for (int lane = 0; lane < outputs; ++lane)
        for (int r = 0; r < 3; ++r)
          for (int s = 0; s < 3; ++s) g[r][s][lane] = weight(first + lane, r, s, c);
      winograd_weights(G, g, [&](int position, const double(&u)[kPack]) {
        float* to = &packed(0, position, static_cast<int>(block), c * kPack);
        for (int lane = 0; lane < kPack; ++lane) to[lane] = static_cast<float>(u[lane]);
      });
    }
  });
}

std::string refuses(const op::Conv2d& op, const Shapes& in) {
  if (op.kernel_h != 3 || op.kernel_w != 3) return "needs a 3x3 kernel";
  if (op.stride != 1) return "needs stride 1";
  if (op.dilation != 1) return "needs dilation 1";
  if (op.groups != 1) return "needs a single group";
  // With few channels the transforms cost about what they save, and accuracy is lost to them.
  constexpr int kFewest = 32;
  if (in[op::Conv2d::kX].c < kFewest) return "needs 32 input channels";
  return {};
}

/// `line`: vector instructions of one line of the transforms, loads and stores included.
double seconds(int tile, double input_line, double output_line, const op::Conv2d& op,
               const Shapes& in) {
  // A vector instruction counts as 32 FLOPs, one FMA; the products run at 85% of peak.
  constexpr double kVectorInstruction = 32;
  const int patch = tile + 2;
  const Shape& x = in[op::Conv2d::kX];
  const double c = round_up(x.c, kPack), k = round_up(op.outputs, kPack);
  const double products = 2.0 * patch * patch * x.c * k / 0.85;
  const double transforms =
      (2 * patch * input_line * c + (patch + tile) * output_line * k) / kPack * kVectorInstruction;
  const double tiles = static_cast<double>(x.pixels()) / (tile * tile);
  return tiles * (products + transforms) / NominalMachine::kFlopsPerSecond +
         op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

Shape packed_shape(int tile, const op::Conv2d& op, const Shape& weight) {
  return {1, (tile + 2) * (tile + 2), round_up(op.outputs, kPack) / kPack, weight.c * kPack};
}

std::int64_t scratch_bytes(int tile, const op::Conv2d& op, const Shapes& in) {
  const WinogradGeometry g = winograd_geometry(tile, op, in[op::Conv2d::kX], op.shape(in));
  return threads() * winograd_scratch_floats(g) * std::int64_t{sizeof(float)};
}

}  // namespace

TilePlace tile_place(std::int64_t tile, int m, const Shape& y) {
  const std::int64_t columns = divide_up(y.w, m), in_image = divide_up(y.h, m) * columns;
  TilePlace place{};
  place.n = static_cast<int>(tile / in_image);
  place.p = static_cast<int>(tile % in_image / columns) * m;
  place.q = static_cast<int>(tile % in_image % columns) * m;
  place.rows = std::min(m, y.h - place.p);
  place.columns = std::min(m, y.w - place.q);
  return place;
}

int even_block(std::int64_t tiles, std::int64_t most) {
  const std::int64_t rounds = divide_up(tiles, most * threads());
  return static_cast<int>(divide_up(tiles, rounds * threads()));
}

WinogradGeometry winograd_geometry(int tile, const op::Conv2d& op, const Shape& x, const Shape& y) {
  WinogradGeometry g{};
  g.tile = tile;
  g.patch = tile + 2;
  g.C = x.c;
  g.K = op.outputs;
  g.padded_c = round_up(g.C, kPack);
  g.padded_k = round_up(g.K, kPack);
  g.tiles = y.n * divide_up(y.h, tile) * divide_up(y.w, tile);
  g.block = block_of(g);
  // One cache line more, or the positions of a tile would share two sets of L1.
  g.v_stride = std::int64_t{g.block} * g.padded_c + kPack;
  g.m_stride = std::int64_t{g.block} * kWinogradChunk + kPack;
  return g;
}

std::int64_t winograd_scratch_floats(const WinogradGeometry& g) {
  return g.positions() * (g.v_stride + g.m_stride) + g.padded_c;
}

WinogradScratch winograd_scratch(const WinogradGeometry& g, Scratch scratch, int thread) {
  float* memory = reinterpret_cast<float*>(scratch.data()) + thread * winograd_scratch_floats(g);
  float* m = memory + g.positions() * g.v_stride;
  return {memory, m, m + g.positions() * g.m_stride};
}

std::string conv2d_winograd4_refuses(const op::Conv2d& op, const Shapes& in) {
  return refuses(op, in);
}

std::string conv2d_winograd6_refuses(const op::Conv2d& op, const Shapes& in) {
  // U is 64 numbers a pair of channels. Layers as wide as that see small images, where few tiles
  // share what comes from memory.
  constexpr int kMostPairs = 256 * 128;
  if (in[op::Conv2d::kX].c * op.outputs > kMostPairs) return "its weights would leave the cache";
  return refuses(op, in);
}

double conv2d_winograd4_seconds(const op::Conv2d& op, const Shapes& in) {
  return seconds(4, 13, 13, op, in);
}
double conv2d_winograd6_seconds(const op::Conv2d& op, const Shapes& in) {
  return seconds(6, 21, 18, op, in);
}

Shape conv2d_winograd4_packed_shape(const op::Conv2d& op, const Shape& weight) {
  return packed_shape(4, op, weight);
}
Shape conv2d_winograd6_packed_shape(const op::Conv2d& op, const Shape& weight) {
  return packed_shape(6, op, weight);
}

void conv2d_winograd4_pack(const op::Conv2d& op, View<const float> weight, View<float> packed) {
  pack(kWinogradG4, op, weight, packed);
}
void conv2d_winograd6_pack(const op::Conv2d& op, View<const float> weight, View<float> packed) {
  pack(kWinogradG6, op, weight, packed);
}

std::int64_t conv2d_winograd4_scratch_bytes(const op::Conv2d& op, const Shapes& in) {
  return scratch_bytes(4, op, in);
}
std::int64_t conv2d_winograd6_scratch_bytes(const op::Conv2d& op, const Shapes& in) {
  return scratch_bytes(6, op, in);
}

}  // namespace mend
