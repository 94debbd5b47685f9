// What a training step does to its parameters once it has their gradients: one pass over all of them, on the
// device where they lie.
//
//   gradients ─┬─ GradientNorm: one double comes to the host, which decides on it
//              └─ for_each_number(a rule): clipped, into parameters and memory;  then the averages
//
// Bound by memory: Adam reads 16 and writes 12 bytes a number. Of a GPU's double arithmetic that is a square
// root and two divisions; one whose doubles are 64 times slower than its floats still takes a tenth of a
// millisecond for a million numbers.
//
// Next idea: parameters, gradients and memories side by side in one array each, 16 bytes a load.
#pragma once

#include <vector>

#include "engine/op.h"
#include "kernels/parameter_update/pieces.h"
#include "kernels/parameter_update/rules.h"

namespace mend {

/// Applies `rule` to each number of the pieces, whose arrays are those that the rule names. The same bits on
/// every device and for any number of threads. On a GPU it returns when the work is under way.
void for_each_number(const NumberRule& rule, const PieceSpan& pieces);

/// √Σ g² of many tensors, with what it needs from call to call.
///
/// Each piece has kSquareLanes running sums in double, folded half onto half; so are the pieces' sums. The
/// order depends on the tensors' sizes alone: the same bits on every device and for any number of threads.
class GradientNorm {
 public:
  /// Undefined tensors count nothing; others are dense f32 on one device. Not finite exactly if one of the
  /// numbers is not: squares of f32 do not overflow a double. Waits for a GPU.
  double operator()(Inputs gradients);

 private:
  std::vector<PieceRow> rows_;  // kept for their room
  TensorPieces pieces_;
  Tensor sums_;  // bytes of doubles on the device: of each piece, and of all
};

}  // namespace mend
