// A part of a few tensors, small enough to be one task; device code includes this alone.
#pragma once

namespace mend {

constexpr int kPieceArrays = 4;

/// Numbers of a piece: eight for each thread of a GPU's block, and a network of 300,000 parameters gives
/// each of an H100's 132 multiprocessors one. On a CPU some 10 µs of Adam, whose arrays fit L2.
constexpr int kPieceNumbers = 2048;

/// Neighbouring numbers at the same place of each array; arrays that a rule does not have are null.
struct TensorPiece {
  float* arrays[kPieceArrays];
  int count;
};

/// Running sums of a piece's squares: the threads of a GPU's block. Number i belongs to sum i % kSquareLanes.
constexpr int kSquareLanes = 256;

}  // namespace mend
