// The modelled time of CUDA rungs that memory bounds.
#pragma once

#include "engine/shape.h"
#include "kernels/cuda/machine.h"

namespace mend {

template <class Op>
double gpu_memory_seconds(const Op& op, const Shapes& in) {
  return op.cost(in).bytes / NominalGpu::kBytesPerSecond;
}

}  // namespace mend
