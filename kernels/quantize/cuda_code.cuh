// Numbers as 8-bit integers, in device code.
#pragma once

#include "engine/quantization.h"

namespace mend {

/// quantize() of engine/quantization.h: the same bits.
__device__ inline std::int8_t quantized(float x, float inverse_scale, float zero) {
  const float q = fmaf(x, inverse_scale, zero);
  return static_cast<std::int8_t>(__float2int_rn(fminf(kMostInt8, fmaxf(kLeastInt8, q))));
}

/// Numbers of channels below `channels` as a code has them.
struct RoundedToCode {
  const float *scale, *zero;
  int channels;

  __device__ std::int8_t operator()(float value, int channel) const {
    if (channel >= channels) return 0;
    return quantized(value, __frcp_rn(scale[channel]), zero[channel]);
  }
};

}  // namespace mend
