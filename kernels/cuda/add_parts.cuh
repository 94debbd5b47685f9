// The second half of sums that were cut into parts: blocks have summed up their parts of the pixels (or of the
// depth of a product), and what they found is added here, in the order of the parts.
//
// 32 neighbouring elements are read by a warp, and eight warps share the parts: few parts a thread, so that
// the loads of a thread do not wait for each other for long.
#pragma once

#include <cstdint>

#include "engine/cuda/check.h"

namespace mend {

constexpr int kAddedElements = 32, kAddingWarps = 8;  // of one block

/// Adds element e of all parts, parts[part][e], and hands the sum to place(e, sum).
template <class Place>
__global__ void __launch_bounds__(kAddedElements* kAddingWarps)
    add_parts(const float* parts, int count, std::int64_t elements, Place place) {
  __shared__ float sums[kAddingWarps][kAddedElements];
  const int own = threadIdx.x % kAddedElements, warp = threadIdx.x / kAddedElements;
  const std::int64_t element = std::int64_t{blockIdx.x} * kAddedElements + own;
  float sum = 0;
  if (element < elements) {
#pragma unroll 4
    for (int part = warp; part < count; part += kAddingWarps)
      sum += parts[part * elements + element];
  }
  sums[warp][own] = sum;
  __syncthreads();
  if (warp != 0 || element >= elements) return;
#pragma unroll
  for (int other = 1; other < kAddingWarps; ++other) sum += sums[other][own];
  place(element, sum);
}

template <class Place>
void launch_add_parts(const float* parts, int count, std::int64_t elements, const Place& place,
                      cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>((elements + kAddedElements - 1) / kAddedElements);
  add_parts<<<blocks, kAddedElements * kAddingWarps, 0, stream>>>(parts, count, elements, place);
  cuda_check(cudaGetLastError(), "adding the parts of sums");
}

}  // namespace mend
