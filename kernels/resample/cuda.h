// The entry point of resampling's own CUDA kernel; the other rungs are kernels/cuda/cuda_separable.h's.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/tensor.h"

namespace mend {

/// y[n,p,q] = x[n,rows[p],columns[q]]; the tables lie on the GPU. Number: float, or Half for any 16 bits.
template <class Number>
void launch_resample_nearest(const int* rows, const int* columns, const View<const Number>& x,
                             const View<Number>& y, cudaStream_t stream);

}  // namespace mend
