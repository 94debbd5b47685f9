// Tokens side by side: the layout of the kernels that take a transformer's layers one block of tokens
// at a time (window_block, norm_mlp), and the weights that go with it.
//
//   panel[block][row][16]      `row` is a channel, the 16 numbers are tokens of one block
//   weight[tile][column][6]    six rows of the matrix y = weight · x
//
// A vector holds one channel of several tokens and a weight is broadcast. So no lane idles whatever
// the number of channels (60, 180, heads of 10), the sums of a norm and of a softmax go down columns
// without a step across lanes, and what one layer writes is what the next one reads: tokens are
// transposed once on the way in and once on the way out. kernels/token_panels-inl.h computes.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/op.h"

namespace mend {

/// Tokens of a panel's block: one AVX-512 vector, two of AVX2, four of SSE or NEON.
constexpr int kPanelTokens = 16;
/// Rows of a weight's tile; with two vectors of tokens 12 sums, with four 24.
constexpr int kTileRows = 6;

constexpr int whole_blocks(int tokens) {
  return (tokens + kPanelTokens - 1) / kPanelTokens * kPanelTokens;
}
constexpr int whole_tiles(int rows) { return (rows + kTileRows - 1) / kTileRows * kTileRows; }
/// Floats of a panel, rows up to whole tiles.
constexpr std::int64_t panel_floats(int rows, int tokens) {
  return std::int64_t{whole_tiles(rows)} * whole_blocks(tokens);
}

namespace op {

/// A linear layer's weight [K,1,1,C], or its bias [1,1,1,K], in tiles of rows: {1,tiles,C,6}, the
/// bias {1,tiles,1,6}; rows behind the last are 0.
/// The first `scaled_rows` rows are multiplied by `scale` on the way.
struct PackTokenWeight {
  static constexpr std::string_view kName = "pack_token_weight";

  bool is_bias = false;
  int scaled_rows = 0;
  float scale = 1.0f;

  Shape shape(const Shapes& in) const;
  Cost cost(const Shapes& in) const;
  Footprint footprint(const Shapes& in) const;
  std::string describe() const;
  void forward(Inputs inputs, const Tensor& y, Scratch scratch) const;
};

}  // namespace op
}  // namespace mend
