// The entry points of the pixel shuffles' CUDA kernels.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"

namespace mend {

/// Factors up to this: so many numbers of a channel fit the kernel's tile.
constexpr int kCudaShuffleMostFactor = 32;

// Numbers are float, or 16 bits as Half.

/// small [N,H,W,C·r²] -> large [N,H·r,W·r,C]
template <class Number>
void launch_pixel_shuffle(int factor, const View<const Number>& small, const View<Number>& large,
                          cudaStream_t stream);
/// large [N,H·r,W·r,C] -> small [N,H,W,C·r²]
template <class Number>
void launch_pixel_unshuffle(int factor, const View<const Number>& large, const View<Number>& small,
                            cudaStream_t stream);

}  // namespace mend
