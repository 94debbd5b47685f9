#include "kernels/parameter_update/pieces.h"

#include <algorithm>
#include <cassert>

namespace mend {

PieceRow::PieceRow(std::initializer_list<Tensor> tensors)
    : numbers(tensors.begin()->shape().elements()) {
  assert(tensors.size() <= kPieceArrays);
  auto next = arrays.begin();
  for (const Tensor& tensor : tensors) {
    assert(tensor.dense() && tensor.shape().elements() == numbers);
    *next++ = tensor.view<float>().data;
  }
}

void TensorPieces::assign(Device& device, const std::vector<PieceRow>& rows) {
  if (device_ == &device && rows_ == rows) return;
  device_ = &device;
  rows_ = rows;
  table_.clear();
  first_piece_ = {0};
  for (const PieceRow& row : rows) {
    for (std::int64_t first = 0; first < row.numbers; first += kPieceNumbers) {
      TensorPiece& piece = table_.emplace_back();
      for (int a = 0; a < kPieceArrays; ++a) {
        piece.arrays[a] = row.arrays[a] == nullptr ? nullptr : row.arrays[a] + first;
      }
      piece.count = static_cast<int>(std::min<std::int64_t>(kPieceNumbers, row.numbers - first));
    }
    first_piece_.push_back(static_cast<int>(table_.size()));
  }
  if (device.kind() == DeviceKind::kCpu || table_.empty()) return;
  const std::size_t bytes = table_.size() * sizeof(TensorPiece);
  if (!on_gpu_ || &on_gpu_.device() != &device || on_gpu_.bytes() != std::int64_t(bytes)) {
    on_gpu_ = Tensor::empty(vector_shape(static_cast<int>(bytes)), DType::kU8, device);
  }
  device.copy(on_gpu_.storage()->data(), table_.data(), bytes);
}

PieceSpan TensorPieces::of_rows(std::size_t first, std::size_t last) const {
  const int begin = first_piece_[first];
  const bool on_cpu = device_ == nullptr || device_->kind() == DeviceKind::kCpu;
  const TensorPiece* const pieces =
      on_cpu ? table_.data()
             : static_cast<const TensorPiece*>(on_gpu_ ? on_gpu_.address() : nullptr);
  return {device_, pieces + begin, first_piece_[last] - begin};
}

}  // namespace mend
