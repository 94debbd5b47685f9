// The product in three levels of blocks: b is copied once into panels as wide as a register tile, so
// that its rows lie side by side and are padded with zeros; kBlockInner rows of a panel (32 kB) stay
// in L1 while kBlockRows rows of a pass by them; the register tile keeps its sums while k runs.
#include <algorithm>

#include "engine/parallel.h"
#include "kernels/matmul/variants.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/cpu_panels.cpp"
#include "kernels/matmul/tile-inl.h"

#ifndef MEND_MATMUL_CPU_PANELS_ONCE
#define MEND_MATMUL_CPU_PANELS_ONCE
namespace mend {

constexpr int kBlockInner = 128;
/// A multiple of the tile's 6 rows; 96 x 128 numbers of a are 48 kB of L2.
constexpr int kBlockRows = 96;
/// The widest panel of any instruction set.
constexpr int kWidestPanel = 64;

/// One matrix: element (i, j) at data + i·row + j·column, one of the strides being 1.
struct Matrix {
  const float* data;
  std::int64_t row, column;
};

/// Rows [first, first + rows) of one product.
struct ProductRows {
  Matrix a;
  const float* panels;  // [panels][K][width]
  float* y;             // row `first`
  std::int64_t y_stride;
  int first, rows, K, N;
  float* sums;  // kBlockRows x kWidestPanel
};

}  // namespace mend
#endif

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {

int panel_width() { return kPanelWidth; }

/// Columns [first, first + width) of b, those behind its last one as zeros.
void pack_panel(const Matrix& b, int K, int N, int first, float* panel) {
  const int count = std::min(kPanelWidth, N - first);
  for (int k = 0; k < K; ++k, panel += kPanelWidth) {
    const float* from = b.data + k * b.row + first * b.column;
    if (b.column == 1) {
      std::copy_n(from, count, panel);
    } else {
      for (int j = 0; j < count; ++j) panel[j] = from[j * b.column];
    }
    std::fill(panel + count, panel + kPanelWidth, 0.0f);
  }
}

/// sums [rows][kPanelWidth] = rows of a times one panel.
void multiply_panel(const ProductRows& p, const float* panel, int vectors) {
  const float* pointers[std::max(kBlockInner, kBlockRows)];
  for (int k0 = 0; k0 < p.K; k0 += kBlockInner) {
    const int inner = std::min(kBlockInner, p.K - k0);
    TileProduct product{pointers,    0,
                        inner,       panel + std::int64_t{k0} * kPanelWidth,
                        kPanelWidth, k0 == 0 ? nullptr : p.sums,
                        kPanelWidth, p.sums,
                        kPanelWidth};
    if (p.a.column == 1) {
      for (int r = 0; r < p.rows; ++r) pointers[r] = p.a.data + (p.first + r) * p.a.row + k0;
      multiply<Walk::kRows>(p.rows, vectors, product);
    } else {
      for (int k = 0; k < inner; ++k) pointers[k] = p.a.data + (k0 + k) * p.a.column + p.first;
      multiply<Walk::kSteps>(p.rows, vectors, product);
    }
  }
}

void multiply_rows(const ProductRows& p) {
  for (int j = 0; j < p.N; j += kPanelWidth) {
    const int columns = std::min(kPanelWidth, p.N - j);
    multiply_panel(p, p.panels + std::int64_t{j} * p.K, (columns + kTileLanes - 1) / kTileLanes);
    for (int r = 0; r < p.rows; ++r) {
      std::copy_n(p.sums + r * kPanelWidth, columns, p.y + r * p.y_stride + j);
    }
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {

HWY_EXPORT(panel_width);
HWY_EXPORT(pack_panel);
HWY_EXPORT(multiply_rows);

namespace {

std::int64_t padded_columns(int N) {
  return (std::int64_t{N} + kWidestPanel - 1) / kWidestPanel * kWidestPanel;
}

/// The matrix of (n, h), or the one that serves all.
Matrix matrix_of(View<const float> x, int n, int h, bool transposed) {
  const float* data = x.pixel(x.shape.n == 1 ? 0 : n, x.shape.h == 1 ? 0 : h, 0);
  return transposed ? Matrix{data, 1, x.w_stride} : Matrix{data, x.w_stride, 1};
}

/// How b is cut into panels.
struct Panels {
  Panels(const op::Matmul& op, const Shapes& in)
      : matrices(in[op.kB].n * in[op.kB].h),
        width(HWY_DYNAMIC_DISPATCH(panel_width)()),
        count((op.columns(in) + width - 1) / width),
        floats(std::int64_t{op.inner(in)} * padded_columns(op.columns(in))) {}

  int matrices, width, count;
  std::int64_t floats;  ///< of one matrix
};

void pack_panels(const op::Matmul& op, View<const float> b, const Panels& cut, int K, int N,
                 float* packed) {
  parallel_for(std::int64_t{cut.matrices} * cut.count, [&](std::int64_t task, int) {
    const int matrix = static_cast<int>(task / cut.count);
    const int first = static_cast<int>(task % cut.count) * cut.width;
    HWY_DYNAMIC_DISPATCH(pack_panel)
    (matrix_of(b, matrix / b.shape.h, matrix % b.shape.h, op.transpose_b), K, N, first,
     packed + matrix * cut.floats + std::int64_t{first} * K);
  });
}

}  // namespace

std::int64_t matmul_panels_scratch(const op::Matmul& op, const Shapes& in) {
  const Panels cut(op, in);
  const std::int64_t sums = std::int64_t{threads()} * kBlockRows * kWidestPanel;
  return (cut.matrices * cut.floats + sums) * static_cast<std::int64_t>(sizeof(float));
}

void matmul_panels(const op::Matmul& op, View<const float> a, View<const float> b, View<float> y,
                   Scratch scratch) {
  const Shapes in{a.shape, b.shape};
  const Panels cut(op, in);
  const int M = y.shape.w, N = y.shape.c, K = op.inner(in);
  float* packed = reinterpret_cast<float*>(scratch.data());
  float* sums = packed + cut.matrices * cut.floats;
  pack_panels(op, b, cut, K, N, packed);

  const int blocks = (M + kBlockRows - 1) / kBlockRows;
  parallel_for(std::int64_t{y.shape.n} * y.shape.h * blocks, [&](std::int64_t task, int thread) {
    const int n = static_cast<int>(task / blocks / y.shape.h);
    const int h = static_cast<int>(task / blocks % y.shape.h);
    const int first = static_cast<int>(task % blocks) * kBlockRows;
    const int matrix = (b.shape.n == 1 ? 0 : n) * b.shape.h + (b.shape.h == 1 ? 0 : h);
    HWY_DYNAMIC_DISPATCH(multiply_rows)
    ({matrix_of(a, n, h, op.transpose_a), packed + matrix * cut.floats, y.pixel(n, h, first),
      y.w_stride, first, std::min(kBlockRows, M - first), K, N,
      sums + std::int64_t{thread} * kBlockRows * kWidestPanel});
  });
}

}  // namespace mend
#endif
