// A piece is a task; the loops are plain C++ for the baseline instruction set.
//
// Next idea: wider vectors. On the baseline's two lanes Adam waits for its square root and its division, not for its
// 28 bytes a number.
#include <variant>

#include "engine/parallel.h"
#include "kernels/parameter_update/cpu.h"

namespace mend {
namespace {

template <class Rule>
void run_piece(const Rule& rule, const TensorPiece piece) {
  for (int i = 0; i < piece.count; ++i) {
    float numbers[Rule::kArrays];
    for (int a = 0; a < Rule::kArrays; ++a) numbers[a] = piece.arrays[a][i];
    rule(numbers);
    for (int a = 0; a < Rule::kArrays; ++a) {
      if ((Rule::kWritten & array_bit(a)) != 0) piece.arrays[a][i] = numbers[a];
    }
  }
}

/// The upper half of the lanes onto the lower, until one is left.
double folded(double (&lanes)[kSquareLanes]) {
  for (int half = kSquareLanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

/// Σ term(i) for i below `count`, in kSquareLanes sums.
template <class Term>
double lane_sum(int count, const Term& term) {
  double lanes[kSquareLanes] = {};
  int first = 0;
  for (; first + kSquareLanes <= count; first += kSquareLanes) {
    for (int lane = 0; lane < kSquareLanes; ++lane) lanes[lane] += term(first + lane);
  }
  for (int lane = 0; first + lane < count; ++lane) lanes[lane] += term(first + lane);
  return folded(lanes);
}

}  // namespace

void for_each_number_cpu(const NumberRule& rule, const PieceSpan& pieces) {
  std::visit(
      [&](const auto& of_kind) {
        parallel_for(pieces.count,
                     [&](std::int64_t i, int) { run_piece(of_kind, pieces.pieces[i]); });
      },
      rule);
}

void sum_squares_cpu(const PieceSpan& pieces, double* sums) {
  parallel_for(pieces.count, [&](std::int64_t i, int) {
    const TensorPiece& piece = pieces.pieces[i];
    const float* const numbers = piece.arrays[0];
    sums[i] = lane_sum(piece.count, [&](int k) { return double{numbers[k]} * numbers[k]; });
  });
  sums[pieces.count] = lane_sum(pieces.count, [&](int i) { return sums[i]; });
}

}  // namespace mend
