// Tensors on the GPU for tests: there and back, in any type, and between poisoned margins.
#pragma once

#include <functional>

#include "engine/gpu.h"
#include "engine/tensor.h"

namespace mend::test {

/// The numbers of `x` as `type`, and those of a narrow tensor as f32; in the host's memory, dense.
Tensor converted(const Tensor& x, DType type);

/// A dense copy on GPU 0, as `type`.
Tensor to_gpu(const Tensor& host, DType type = DType::kF32);
/// A dense copy in f32 in the host's memory.
Tensor to_host(const Tensor& on_gpu);

/// How many channels of NaN lie before and behind a tensor: {3, 2} has it never aligned, {8, 8} always.
struct Margins {
  int before, behind;
};

/// A tensor on GPU 0 in the middle of a larger one of NaN, with a pixel of it around.
class GuardedOnGpu {
 public:
  /// NaN inside as well.
  GuardedOnGpu(const Shape& shape, DType type, Margins margins);
  GuardedOnGpu(const Tensor& pixels, DType type, Margins margins);

  const Tensor& tensor() const { return inside_; }
  /// Whether nobody wrote outside.
  bool intact() const;

 private:
  Tensor whole_, inside_;
  Margins margins_;
};

}  // namespace mend::test
