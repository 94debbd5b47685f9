#include "kernels/quantized_conv2d/winograd.h"

#include <hwy/targets.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "engine/cache.h"
#include "engine/parallel.h"
#include "engine/quantization.h"

namespace mend {
namespace {

constexpr int kPack = kQuantizedPack;
/// Channels of V are padded to whole vectors of i16, of AVX-512 the widest.
constexpr int kChannels = 32;

int round_up(int value, int step) { return (value + step - 1) / step * step; }
std::int64_t divide_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step; }

/// Tiles of a block: V and M of one pass take seven eighths of a small L2; of a large one a third, or U would not stay
/// beside them. As even as can be, as many blocks for each thread, and whole register tiles. Of 64 -> 64 in 512 KB that is
/// 18 tiles; M of 32 outputs at a time would allow 24, but read V twice (4% slower).
int block_of(const QuantizedGeometry& g) {
  constexpr int kFewest = 12, kMost = 96;
  constexpr std::int64_t kSmallCache = 512 << 10;
  const std::int64_t room =
      std::max(std::min(l2_cache_bytes(), kSmallCache) * 7 / 8, l2_cache_bytes() / 3);
  const std::int64_t tile_bytes =
      std::int64_t{g.positions()} * (g.padded_c * std::int64_t{sizeof(std::int16_t)} +
                                     kQuantizedChunk * std::int64_t{sizeof(std::int32_t)});
  const std::int64_t step = room / tile_bytes >= 24 ? 12 : 6;
  const std::int64_t most =
      std::clamp<std::int64_t>(room / tile_bytes / step * step, kFewest, kMost);
  return even_block(g.tiles, most);
}

/// Whether there are VNNI instructions for the vectors that the kernels run on.
bool has_vnni() {
#if HWY_ARCH_X86
  switch (hwy::SupportedTargets() & -hwy::SupportedTargets()) {  // the best: the lowest bit
    case HWY_AVX3_DL:
    case HWY_AVX3:
      return __builtin_cpu_supports("avx512vnni");
    case HWY_AVX2:
      return __builtin_cpu_supports("avxvnni");
    default:
      return false;
  }
#else
  return false;
#endif
}

/// What packing must know of the matrices of F(m,3) in winograd_lines-inl.h.
template <int kTile>
struct Matrices;

template <>
struct Matrices<4> {
  static constexpr int kPatch = 6;
  static constexpr double kG[kPatch][3] = {{1, 0, 0},
                                           {-2.0 / 3, -2.0 / 3, -2.0 / 3},
                                           {-2.0 / 3, 2.0 / 3, -2.0 / 3},
                                           {1.0 / 3, 2.0 / 3, 4.0 / 3},
                                           {1.0 / 3, -2.0 / 3, 4.0 / 3},
                                           {0, 0, 1}};
  /// Σ|Bᵀ| along each row: the largest |V| that |x| <= 1 can give, of each of the two passes.
  static constexpr double kReach[kPatch] = {10, 10, 10, 6, 6, 10};
  /// Aᵀ M A · this is on the scale of z.
  static constexpr double kUnit = 1.0 / 16;
  /// V at position (1,1) of an image that is `zero` everywhere; at all others it is 0.
  static int flat(int zero) { return 36 * zero; }
};

template <>
struct Matrices<6> {
  static constexpr int kPatch = 8;
  static constexpr double kG[kPatch][3] = {{1, 0, 0},
                                           {-4.0 / 9, -4.0 / 9, -4.0 / 9},
                                           {-4.0 / 9, 4.0 / 9, -4.0 / 9},
                                           {8.0 / 45, 16.0 / 45, 32.0 / 45},
                                           {8.0 / 45, -16.0 / 45, 32.0 / 45},
                                           {32.0 / 45, 16.0 / 45, 8.0 / 45},
                                           {32.0 / 45, -16.0 / 45, 8.0 / 45},
                                           {0, 0, 1}};
  static constexpr double kReach[kPatch] = {12.5, 12.5, 12.5, 15, 15, 15, 15, 12.5};
  static constexpr double kUnit = 1.0 / 4;
  static int flat(int zero) {
    // The first pass gives −18·zero in row 1, the second −x − x/8 of that, rounded.
    return 18 * zero - round_16th(-36 * zero);
  }
  /// x / 16 as MulFixedPoint15(x, 2048) rounds it.
  static int round_16th(int x) {
    return static_cast<int>(std::floor((x * 2048 + 16384) / 32768.0));
  }
};

/// Rounding lets |V| exceed the bound of exact arithmetic by less than this.
constexpr double kSlack = 8;

/// U = G g Gᵀ of one pair of channels, position by position.
template <int kTile>
std::array<double, (kTile + 2) * (kTile + 2)> transform_weight(const double (&g)[3][3]) {
  constexpr int kPatch = kTile + 2;
  constexpr auto& G = Matrices<kTile>::kG;
  double lines[kPatch][3] = {};
  for (int i = 0; i < kPatch; ++i)
    for (int r = 0; r < 3; ++r)
      for (int s = 0; s < 3; ++s) lines[i][s] += G[i][r] * g[r][s];
  std::array<double, kPatch * kPatch> u{};
  for (int i = 0; i < kPatch; ++i)
    for (int j = 0; j < kPatch; ++j)
      for (int s = 0; s < 3; ++s) u[i * kPatch + j] += lines[i][s] * G[j][s];
  return u;
}

/// The smallest scale of an output channel whose whole numbers keep every sum within 32 bits and
/// themselves within 16.
template <int kTile>
double scale_of(const std::vector<std::array<double, (kTile + 2) * (kTile + 2)>>& u) {
  constexpr int kPatch = kTile + 2;
  constexpr double kMost32 = std::numeric_limits<std::int32_t>::max();
  constexpr double kMost16 = std::numeric_limits<std::int16_t>::max();
  const double C = static_cast<double>(u.size());
  double scale = 0;
  for (int position = 0; position < kPatch * kPatch; ++position) {
    double sum = 0, largest = 0;
    for (const auto& channel : u) {
      const double magnitude = std::abs(channel[static_cast<std::size_t>(position)]);
      sum += magnitude;
      largest = std::max(largest, magnitude);
    }
    const auto& reach = Matrices<kTile>::kReach;
    const double v = 128 * reach[position / kPatch] * reach[position % kPatch] + kSlack;
    // Every |U| may be half more than its share for being rounded.
    scale = std::max({scale, sum / (kMost32 / v - C / 2), largest / (kMost16 - 1)});
  }
  return scale > 0 ? scale : 1;
}

std::int64_t u_count(int patch, int C, int padded_k) {
  return std::int64_t{patch} * patch * padded_k * ((C + 1) / 2) * 2;
}

template <int kTile>
void pack(const op::QuantizedConv2d& op, View<const float> weight, View<const float> code_x,
          View<std::int8_t> packed) {
  constexpr int kPatch = kTile + 2;
  const int C = weight.shape.c, K = op.conv.outputs, padded_k = round_up(K, kPack);
  const int pairs = (C + 1) / 2;
  const Quantization x = quantization(code_x);
  std::int16_t* const u = reinterpret_cast<std::int16_t*>(packed.data);
  float* const scales = reinterpret_cast<float*>(u + u_count(kPatch, C, padded_k));
  float* const corrections = scales + padded_k;
  parallel_for(padded_k, [&](std::int64_t task, int) {
    const int k = static_cast<int>(task);
    std::vector<std::array<double, kPatch * kPatch>> real(static_cast<std::size_t>(C));
    for (int c = 0; c < C && k < K; ++c) {
      double g[3][3];
      for (int r = 0; r < 3; ++r)
        for (int s = 0; s < 3; ++s) g[r][s] = double{weight(k, r, s, c)} * double{x.scale[c]};
      real[static_cast<std::size_t>(c)] = transform_weight<kTile>(g);
    }
    const double scale = scale_of<kTile>(real);
    double flat = 0;
    for (int position = 0; position < kPatch * kPatch; ++position) {
      std::int16_t* to =
          u + ((std::int64_t{position} * padded_k / kPack + k / kPack) * pairs) * 2 * kPack +
          k % kPack * 2;
      for (int c = 0; c < 2 * pairs; ++c) {
        const double number = c < C ? real[static_cast<std::size_t>(c)][position] / scale : 0;
        const int rounded = static_cast<int>(std::lround(number));
        to[c / 2 * 2 * kPack + c % 2] = static_cast<std::int16_t>(rounded);
        if (position == kPatch + 1 && c < C) {
          const int zero = static_cast<int>(x.zero[c]);
          flat += static_cast<double>(rounded) * Matrices<kTile>::flat(zero);
        }
      }
    }
    scales[k] = static_cast<float>(scale * Matrices<kTile>::kUnit);
    corrections[k] = static_cast<float>(-scale * Matrices<kTile>::kUnit * flat);
  });
}

std::string refuses(const op::QuantizedConv2d& op, const Shapes& in) {
  const op::Conv2d& conv = op.conv;
  if (conv.kernel_h != 3 || conv.kernel_w != 3) return "needs a 3x3 kernel";
  if (conv.stride != 1) return "needs stride 1";
  if (conv.dilation != 1) return "needs dilation 1";
  if (conv.groups != 1) return "needs a single group";
  constexpr int kMost = 384;  // beyond, sums that fit into 32 bits leave U too few
  if (in[op::QuantizedConv2d::kX].c > kMost) return "takes 384 input channels at most";
  return {};
}

double seconds(int tile, double input_line, double output_line, const op::QuantizedConv2d& op,
               const Shapes& in) {
  // A vector instruction counts as 32 FLOPs; two products of i16 and their sum are two instructions
  // in place of the two FMAs of f32, on ports that are two thirds taken.
  constexpr double kVectorInstruction = 32, kFasterThanFma = 1.5;
  const int patch = tile + 2;
  const Shape& x = in[op::QuantizedConv2d::kX];
  const double c = round_up(x.c, kChannels), k = round_up(op.conv.outputs, kPack);
  const double products = 2.0 * patch * patch * x.c * k / kFasterThanFma;
  const double transforms =
      (patch * input_line * c + (patch + tile) * output_line * k) / kPack * kVectorInstruction;
  const double tiles = static_cast<double>(x.pixels()) / (tile * tile);
  return tiles * (products + transforms) / NominalMachine::kFlopsPerSecond +
         op.cost(in).bytes / NominalMachine::kBytesPerSecond;
}

std::int64_t packed_bytes(int tile, const op::QuantizedConv2d& op, const Shape& weight) {
  const int padded_k = round_up(op.conv.outputs, kPack);
  return u_count(tile + 2, weight.c, padded_k) * std::int64_t{sizeof(std::int16_t)} +
         2 * padded_k * std::int64_t{sizeof(float)};
}

std::int64_t scratch_bytes(int tile, const op::QuantizedConv2d& op, const Shapes& in) {
  const QuantizedGeometry g =
      quantized_geometry(tile, op, in[op::QuantizedConv2d::kX], op.shape(in));
  return threads() * quantized_scratch_bytes(g);
}

}  // namespace

QuantizedGeometry quantized_geometry(int tile, const op::QuantizedConv2d& op, const Shape& x,
                                     const Shape& y) {
  QuantizedGeometry g{};
  g.tile = tile;
  g.patch = tile + 2;
  g.C = x.c;
  g.K = op.conv.outputs;
  g.padded_c = round_up(g.C, kChannels);
  g.padded_k = round_up(g.K, kPack);
  g.tiles = y.n * divide_up(y.h, tile) * divide_up(y.w, tile);
  g.block = block_of(g);
  g.vnni = has_vnni();
  // One cache line more, or the positions of a tile would share two sets of L1.
  g.v_stride = std::int64_t{g.block} * g.padded_c + 32;
  g.m_stride = std::int64_t{g.block} * kQuantizedChunk + 16;
  return g;
}

QuantizedWeight quantized_weight(const QuantizedGeometry& g, const std::int8_t* packed) {
  const auto* u = reinterpret_cast<const std::int16_t*>(packed);
  const auto* scale = reinterpret_cast<const float*>(u + u_count(g.patch, g.C, g.padded_k));
  return {u, scale, scale + g.padded_k};
}

std::int64_t quantized_scratch_bytes(const QuantizedGeometry& g) {
  const std::int64_t bytes = g.positions() * (g.v_stride * std::int64_t{sizeof(std::int16_t)} +
                                              g.m_stride * std::int64_t{sizeof(std::int32_t)}) +
                             g.padded_c;
  return divide_up(bytes, 64) * 64;
}

QuantizedScratch quantized_scratch(const QuantizedGeometry& g, const QuantizedConv2dCall& call,
                                   int thread) {
  std::byte* const memory = call.scratch.data() + thread * quantized_scratch_bytes(g);
  auto* const v = reinterpret_cast<std::int16_t*>(memory);
  auto* const m = reinterpret_cast<std::int32_t*>(v + g.positions() * g.v_stride);
  auto* const zero = reinterpret_cast<std::int8_t*>(m + g.positions() * g.m_stride);
  const Quantization x = quantization(call.code_x);
  for (int c = 0; c < g.C; ++c) zero[c] = static_cast<std::int8_t>(x.zero[c]);
  return {v, m, zero};
}

std::string quantized_conv2d_winograd4_refuses(const op::QuantizedConv2d& op, const Shapes& in) {
  return refuses(op, in);
}
std::string quantized_conv2d_winograd6_refuses(const op::QuantizedConv2d& op, const Shapes& in) {
  // The more channels, the fewer bits are left for U, and F(6,3) needs more of them.
  constexpr int kMost = 128;
  if (in[op::QuantizedConv2d::kX].c > kMost) return "takes 128 input channels at most";
  return refuses(op, in);
}

double quantized_conv2d_winograd4_seconds(const op::QuantizedConv2d& op, const Shapes& in) {
  return seconds(4, 17, 14, op, in);
}
double quantized_conv2d_winograd6_seconds(const op::QuantizedConv2d& op, const Shapes& in) {
  return seconds(6, 40, 22, op, in);
}

std::int64_t quantized_conv2d_winograd4_packed_bytes(const op::QuantizedConv2d& op,
                                                     const Shape& weight) {
  return packed_bytes(4, op, weight);
}
std::int64_t quantized_conv2d_winograd6_packed_bytes(const op::QuantizedConv2d& op,
                                                     const Shape& weight) {
  return packed_bytes(6, op, weight);
}

void quantized_conv2d_winograd4_pack(const op::QuantizedConv2d& op, View<const float> weight,
                                     View<const float> code_x, View<std::int8_t> packed) {
  pack<4>(op, weight, code_x, packed);
}
void quantized_conv2d_winograd6_pack(const op::QuantizedConv2d& op, View<const float> weight,
                                     View<const float> code_x, View<std::int8_t> packed) {
  pack<6>(op, weight, code_x, packed);
}

std::int64_t quantized_conv2d_winograd4_scratch_bytes(const op::QuantizedConv2d& op,
                                                      const Shapes& in) {
  return scratch_bytes(4, op, in);
}
std::int64_t quantized_conv2d_winograd6_scratch_bytes(const op::QuantizedConv2d& op,
                                                      const Shapes& in) {
  return scratch_bytes(6, op, in);
}

}  // namespace mend
