#include "kernels/token_panels.h"

#include <fmt/format.h>

namespace mend::op {
namespace {

/// A bias is a matrix of one column.
struct Matrix {
  Matrix(const PackTokenWeight& op, const Shape& shape)
      : rows(op.is_bias ? shape.c : shape.n), columns(op.is_bias ? 1 : shape.c) {}

  int rows, columns;
};

}  // namespace

Shape PackTokenWeight::shape(const Shapes& in) const {
  const Matrix matrix(*this, in[0]);
  return {1, whole_tiles(matrix.rows) / kTileRows, matrix.columns, kTileRows};
}

Cost PackTokenWeight::cost(const Shapes& in) const {
  return {0, static_cast<double>(in[0].elements() + shape(in).elements()) * sizeof(float)};
}

Footprint PackTokenWeight::footprint(const Shapes&) const { return {}; }

std::string PackTokenWeight::describe() const {
  return fmt::format("{}, {} rows x {}", is_bias ? "bias" : "weight", scaled_rows, scale);
}

void PackTokenWeight::forward(Inputs inputs, const Tensor& y, Scratch) const {
  const View<const float> from = inputs[0].view<const float>();
  const Matrix matrix(*this, from.shape);
  float* to = y.view<float>().data;
  for (int row = 0; row < matrix.rows; row += kTileRows)
    for (int c = 0; c < matrix.columns; ++c)
      for (int r = row; r < row + kTileRows; ++r) {
        const float factor = r < scaled_rows ? scale : 1.0f;
        *to++ = r >= matrix.rows ? 0.0f : factor * (is_bias ? from.data[r] : from(r, 0, 0, c));
      }
}

}  // namespace mend::op
