// The integer part of the Winograd rungs of quantized_conv2d, bit by bit.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "engine/quantization.h"
#include "kernels/quantized_conv2d/winograd.h"
#include "tests/kernels/quantized_numbers.h"
#include "tests/support/guarded.h"

namespace mend::test {
namespace {

using Op = op::QuantizedConv2d;

using Line = std::vector<std::int32_t>;

std::int32_t rounded(std::int32_t x, std::int32_t of_32768th) {
  return (x * of_32768th + 16384) >> 15;
}

/// Bᵀ x of F(4,3).
Line line4(const Line& x) {
  return {4 * x[0] - 5 * x[2] + x[4],        -4 * x[1] - 4 * x[2] + x[3] + x[4],
          4 * x[1] - 4 * x[2] - x[3] + x[4], -2 * x[1] - x[2] + 2 * x[3] + x[4],
          2 * x[1] - x[2] - 2 * x[3] + x[4], 4 * x[1] - 5 * x[3] + x[5]};
}

/// 4·Bᵀ x of F(6,3), with the rows at ±2 doubled.
Line first_line6(const Line& x) {
  const auto pair = [&](int sign, int c6, int c4, int c2, int c5, int c3, int c1) {
    return c6 * x[6] + c4 * x[4] + c2 * x[2] + sign * (c5 * x[5] + c3 * x[3] + c1 * x[1]);
  };
  return {4 * x[0] - 21 * x[2] + 21 * x[4] - 4 * x[6],
          pair(1, 4, -17, 4, 4, -17, 4),
          pair(-1, 4, -17, 4, 4, -17, 4),
          pair(1, 8, -10, 2, 16, -20, 4),
          pair(-1, 8, -10, 2, 16, -20, 4),
          pair(1, 4, -20, 16, 2, -10, 8),
          pair(-1, 4, -20, 16, 2, -10, 8),
          -4 * x[1] + 21 * x[3] - 21 * x[5] + 4 * x[7]};
}

/// Bᵀ x / 4 of F(6,3), rounded where the contract of QuantizedLines<6>::second says.
Line second_line6(const Line& x) {
  constexpr int kHalf = 16384, kQuarter = 8192, k5_16 = 10240, k1_16 = 2048;
  const int p = x[2] - x[4], q = x[6] - x[4], r = x[1] - x[3], s = x[5] - x[3];
  const int even = x[2] + x[6], odd = x[1] + x[5], sum = x[4] + x[3], difference = x[4] - x[3];
  const int even2 = rounded(q + rounded(p, kQuarter), kHalf), odd2 = s + rounded(r, kQuarter);
  const int even3 = p + rounded(q, kQuarter), odd3 = rounded(r + rounded(s, kQuarter), kHalf);
  return {rounded(x[0] - x[6], kQuarter) - p - rounded(p, k5_16),
          rounded(even + odd, kQuarter) - sum - rounded(sum, k1_16),
          rounded(even - odd, kQuarter) - difference - rounded(difference, k1_16),
          even2 + odd2,
          even2 - odd2,
          even3 + odd3,
          even3 - odd3,
          rounded(x[7] - x[1], kQuarter) - s - rounded(s, k5_16)};
}

/// V of one tile and channel: d [patch²] -> [patch²].
Line transformed(int tile, const Line& d) {
  const int patch = tile + 2;
  Line half(d.size()), v(d.size());
  for (int j = 0; j < patch; ++j) {
    Line x;
    for (int i = 0; i < patch; ++i) x.push_back(d[i * patch + j]);
    const Line t = tile == 4 ? line4(x) : first_line6(x);
    for (int i = 0; i < patch; ++i) half[i * patch + j] = t[i];
  }
  for (int i = 0; i < patch; ++i) {
    const Line x(half.begin() + i * patch, half.begin() + (i + 1) * patch);
    const Line t = tile == 4 ? line4(x) : second_line6(x);
    std::copy(t.begin(), t.end(), v.begin() + i * patch);
  }
  return v;
}

/// M of all tiles, [positions][tiles][K], in 64 bits: shows too whether 32 are enough.
std::vector<std::int64_t> plain_products(int tile, const QuantizedConv2dCall& call) {
  const QuantizedGeometry g = quantized_geometry(tile, call.op, call.x.shape, call.y_shape());
  const QuantizedWeight weight = quantized_weight(g, call.packed.data);
  const Quantization code = quantization(call.code_x);
  const op::Conv2d& conv = call.op.conv;
  std::vector<std::int64_t> m(static_cast<std::size_t>(g.positions() * g.tiles * g.K));
  int most = 0;
  for (std::int64_t t = 0; t < g.tiles; ++t) {
    const TilePlace place = tile_place(t, tile, call.y_shape());
    for (int c = 0; c < g.C; ++c) {
      Line d;
      for (int i = 0; i < g.patch; ++i)
        for (int j = 0; j < g.patch; ++j) {
          const int h = place.p + i - conv.padding_h;
          const int w = place.q + j - conv.padding_w;
          const bool outside = h < 0 || w < 0 || h >= call.x.shape.h || w >= call.x.shape.w;
          d.push_back(outside ? static_cast<int>(code.zero[c]) : call.x(place.n, h, w, c));
        }
      const Line v = transformed(tile, d);
      for (int position = 0; position < g.positions(); ++position) {
        most = std::max(most, std::abs(v[position]));
        for (int k = 0; k < g.K; ++k) {
          const std::int64_t pack = std::int64_t{position} * g.padded_k / 16 + k / 16;
          const std::int16_t u = weight.u[((pack * g.pairs() + c / 2) * 16 + k % 16) * 2 + c % 2];
          m[static_cast<std::size_t>((position * g.tiles + t) * g.K + k)] +=
              std::int64_t{v[position]} * u;
        }
      }
    }
  }
  CHECK(most <= std::numeric_limits<std::int16_t>::max());
  return m;
}

/// The products of a rung of that tile against plain loops, on every instruction set.
void check_products(int tile, const Tensor& x, const Tensor& weight, const Tensor& code) {
  CAPTURE(tile);
  const QuantizedConv2dVariant& rung = quantized_conv2d_ladder()[tile == 4 ? 1 : 2];
  REQUIRE(rung.kernel.tile == tile);
  Op op;
  op.conv.kernel_h = op.conv.kernel_w = 3;
  op.conv.padding_h = op.conv.padding_w = 1;
  op.conv.outputs = weight.shape().n;
  op.variant = &rung;
  const Tensor packed = apply(op::PackQuantizedConv2dWeight{op}, {weight, code});
  const Shapes in = {x.shape(), packed.shape(), {}, {}, {}, code.shape()};
  const Tensor y = Tensor::empty(op.shape(in));
  const Storage scratch(static_cast<std::size_t>(op.scratch_bytes(in)), cpu());
  QuantizedConv2dCall call{op,
                           x.view<const std::int8_t>(),
                           {},
                           packed.view<const std::int8_t>(),
                           {},
                           {},
                           {},
                           code.view<const float>(),
                           {},
                           {},
                           y.view<float>(),
                           {scratch.data(), scratch.bytes()}};
  const std::vector<std::int64_t> expected = plain_products(tile, call);
  on_every_instruction_set([&](const std::string& target) {
    CAPTURE(target);
    const std::vector<std::int32_t> m = quantized_winograd_products(tile, call);
    CHECK(std::equal(m.begin(), m.end(), expected.begin(), expected.end()));
  });
}

}  // namespace

TEST_CASE("quantized_conv2d: sums of whole numbers equal those of plain loops, bit by bit") {
  for (const int tile : {4, 6}) {
    for (const Shape& x : {Shape{1, 1, 1, 16}, Shape{1, 7, 13, 17}, Shape{2, 9, 5, 33},
                           Shape{1, 13, 20, 64}, Shape{1, 6, 6, 127}}) {
      CAPTURE(x.c);
      check_products(tile, random_codes(x, 1), random_tensor({35, 3, 3, x.c}, 2),
                     code_of(x.c, 1.5f));
    }
  }
}

TEST_CASE("quantized_conv2d: no sum leaves its 32 bits, whatever the codes and the weights") {
  // At each position of a patch the code at one end of its range or the other, in all patterns that
  // rows and columns of Bᵀ have: at one position after another |V| is the largest there is. All
  // channels agree with the signs of the weights.
  const std::vector<std::vector<int>> signs = {
      {1, 0, -1, 0, 1, 0, -1, 0}, {0, 1, 1, -1, -1, 1, 1, 0},  {0, -1, 1, 1, -1, -1, 1, 0},
      {0, 1, 1, -1, -1, 1, 1, 0}, {0, -1, 1, 1, -1, -1, 1, 0}, {0, -1, 0, 1, 0, -1, 0, 1}};
  constexpr int kChannels = 256;
  const Tensor weight = Tensor::full({16, 3, 3, kChannels}, 0.7f);
  const Tensor code = Tensor::empty(code_shape(kChannels));
  for (int c = 0; c < kChannels; ++c) set_code(code.view<float>(), c, -1, 1);
  for (const auto& rows : signs) {
    for (const auto& columns : signs) {
      const Tensor x = Tensor::empty({1, 7, 7, kChannels}, DType::kI8);
      for (int h = 0; h < 7; ++h)
        for (int w = 0; w < 7; ++w)
          for (int c = 0; c < kChannels; ++c) {
            const int sign = rows[h + 1] * columns[w + 1];
            x.view<std::int8_t>()(0, h, w, c) = static_cast<std::int8_t>(sign > 0 ? 127 : -128);
          }
      check_products(4, x, weight, code);
      check_products(6, x, weight, code);
    }
  }
}

}  // namespace mend::test
