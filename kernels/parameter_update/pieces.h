// Many tensors as one work: all are cut into pieces of at most kPieceNumbers numbers, and a table says where
// these lie. So small tensors share the threads of the CPU, and a GPU needs one launch for any number of them
// (the idea of apex's multi_tensor_apply).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "engine/tensor.h"
#include "kernels/parameter_update/piece.h"

namespace mend {

/// Tensors with as many numbers each, seen as arrays: a parameter, its gradient, what is remembered of it.
struct PieceRow {
  std::array<float*, kPieceArrays> arrays{};
  std::int64_t numbers = 0;

  PieceRow() = default;
  /// Dense f32 tensors, all on one device.
  PieceRow(std::initializer_list<Tensor> tensors);
  bool operator==(const PieceRow&) const = default;
};

/// Pieces on a device.
struct PieceSpan {
  Device* device;
  const TensorPiece* pieces;  ///< in the device's memory
  int count;
};

class TensorPieces {
 public:
  /// Cuts these rows, whose tensors lie on `device`. The table is made and brought there only if they are not
  /// the rows of the call before, which is so from a training's second step on.
  void assign(Device& device, const std::vector<PieceRow>& rows);

  PieceSpan all() const { return of_rows(0, rows_.size()); }
  /// Those of rows [first, last).
  PieceSpan of_rows(std::size_t first, std::size_t last) const;

 private:
  Device* device_ = nullptr;
  std::vector<PieceRow> rows_;
  std::vector<int> first_piece_{0};  // by row, and the end
  std::vector<TensorPiece> table_;
  Tensor on_gpu_;  // the table's bytes, if the device is one
};

}  // namespace mend
