// The entry points of the CUDA kernels for channels.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"

namespace mend {

/// y = x, of one shape; numbers are float, or 16 bits as Half.
template <class Number>
void launch_copy_pixels(const View<const Number>& x, const View<Number>& y, cudaStream_t stream);
/// y's channels from `first` on are those of x, the others 0.
void launch_place_channels(int first, const View<const float>& x, const View<float>& y,
                           cudaStream_t stream);

}  // namespace mend
