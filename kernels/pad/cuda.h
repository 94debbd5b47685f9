// The entry points of padding's CUDA kernels.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/pad/mode.h"

namespace mend {

/// y[n,p,q] is what stands at row p - top, column q - left of x and around it; y may also be a window
/// inside x.
/// Numbers: float, or 16 bits as Half.
template <class Number>
void launch_pad(PadMode mode, int top, int left, Number value, const View<const Number>& x,
                const View<Number>& y, cudaStream_t stream);

}  // namespace mend
