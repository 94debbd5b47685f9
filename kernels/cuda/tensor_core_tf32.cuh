// Tensor cores for f32 numbers: they multiply what TF32 keeps of them, 10 bits behind the point, and sum
// in f32.
//
//   cvt.rna.tf32  rounds to what the tensor core keeps; without it, it would cut off the rest
//   mma.m16n8k8   D[16,8] += A[16,8] · B[8,8] (PTX ISA, "Matrix Fragments for mma.m16n8k8"). With
//                 g = lane / 4 and t = lane % 4 a lane holds
//                   A  [g][t], [g+8][t], [g][t+4], [g+8][t+4]
//                   B  [t][g], [t+4][g]
//                   D  [g][2t], [g][2t+1], [g+8][2t], [g+8][2t+1]
#pragma once

#include "kernels/cuda/tensor_core.cuh"

namespace mend {

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// `value` with the bits that TF32 has, ties away from zero.
__device__ inline float rounded_to_tf32(float value) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return __uint_as_float(bits);
}

/// sum += a · b; all of them rounded before.
__device__ inline void multiply_add_tf32(float (&sum)[4], const float (&a)[4], float b_low,
                                         float b_high) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
        "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b_low)), "r"(__float_as_uint(b_high)));
}

#endif  // from compute capability 8.0 on

}  // namespace mend
