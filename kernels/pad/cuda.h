// The entry points of padding's CUDA kernels.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"
#include "kernels/pad/mode.h"

namespace mend {

/// y[n,p,q] is what stands at row p - top, column q - left of x and around it; y may also be a window
/// inside x.
void launch_pad(PadMode mode, int top, int left, float value, const View<const float>& x,
                const View<float>& y, cudaStream_t stream);

}  // namespace mend
