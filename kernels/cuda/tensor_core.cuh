// The instructions that feed tensor cores from Ampere on, as functions.
//
//   cp.async      global -> shared memory without a detour through registers; `bytes` 0 writes zeros
//   ldmatrix.x4   four 8x8 matrices of 16-bit elements; lane l gives the address of row l % 8 of
//                 matrix l / 8, and gets elements 2·(l % 4), +1 of row l / 4 of each
//   mma.m16n8k16  D[16,8] += A[16,16] · B[16,8], f32 sums (PTX ISA, "Matrix Fragments for mma.m16n8k16")
//   mma.m16n8k8   the same in TF32, 8 deep. A row of 16 bytes is then four numbers, and ldmatrix deals them
//                 out as mma wants them: lane l gets number l % 4 of row l / 4. With g = lane / 4 and
//                 t = lane % 4 a lane holds
//                   A  [g][t], [g+8][t], [g][t+4], [g+8][t+4]
//                   B  [t][g], [t+4][g]
//                   D  [g][2t], [g][2t+1], [g+8][2t], [g+8][2t+1]
//   cvt.rna.tf32  rounds to what the tensor core keeps of an f32; without it, it would cut off the rest
//
// A 16 bytes wide read or write of shared memory is served eight lanes at a time: it is free of bank
// conflicts if these eight touch all 32 banks once.
#pragma once

#include <cstdint>
#include <utility>

#include "engine/dtype.h"

namespace mend {

__device__ inline std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

/// f(0), f(1), ... with indices that are constants of the compiler.
template <class F, int... kIndices>
__device__ void for_each_of(std::integer_sequence<int, kIndices...>, const F& f) {
  (f(std::integral_constant<int, kIndices>{}), ...);
}
template <int kCount, class F>
__device__ void for_each_index(const F& f) {
  for_each_of(std::make_integer_sequence<int, kCount>{}, f);
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

/// Copies `there` of kBytes, 4, 8 or 16, and zeros for the others; `from` must be a multiple of kBytes.
template <int kBytes, int kOffset>
__device__ void copy_async(std::uint32_t to, const void* from, int there) {
  if constexpr (kBytes == 16) {  // past L1
    asm volatile("cp.async.cg.shared.global [%0 + %1], [%2], 16, %3;" ::"r"(to), "n"(kOffset),
                 "l"(from), "r"(there)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0 + %1], [%2], %3, %4;" ::"r"(to), "n"(kOffset),
                 "l"(from), "n"(kBytes), "r"(there)
                 : "memory");
  }
}
/// Copies 16 bytes, or writes 16 zeros where `inside` is false; `from` must then still be a valid address.
__device__ inline void copy_16_async(std::uint32_t to, const void* from, bool inside = true) {
  copy_async<16, 0>(to, from, inside ? 16 : 0);
}
__device__ inline void copy_4_async(std::uint32_t to, const void* from, bool inside) {
  copy_async<4, 0>(to, from, inside ? 4 : 0);
}
/// 2 bytes and 1, which cp.async does not copy: at once.
template <int kOffset>
__device__ void store_bits(std::uint32_t to, std::uint16_t bits) {
  asm volatile("st.shared.u16 [%0 + %1], %2;" ::"r"(to), "n"(kOffset), "h"(bits) : "memory");
}
template <int kOffset>
__device__ void store_bits(std::uint32_t to, std::int8_t bits) {
  asm volatile("st.shared.u8 [%0 + %1], %2;" ::"r"(to), "n"(kOffset), "r"(int{bits}) : "memory");
}
/// Ends a group of copies.
__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until at most kPending groups are still under way.
template <int kPending>
__device__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

/// kOffset: bytes from `row` on; part of the instruction.
template <int kOffset>
__device__ void load_matrices(std::uint32_t (&matrices)[4], std::uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4 + %5];"
               : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
               : "r"(row), "n"(kOffset)
               : "memory");
}

/// The same, each matrix turned: lane l gets elements l / 4 of rows 2·(l % 4), +1.
template <int kOffset>
__device__ void load_transposed_matrices(std::uint32_t (&matrices)[4], std::uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4 + %5];"
               : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
               : "r"(row), "n"(kOffset)
               : "memory");
}

/// Two matrices; the addresses of lanes 0 to 15 count.
template <int kOffset>
__device__ void load_matrices(std::uint32_t (&matrices)[2], std::uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2 + %3];"
               : "=r"(matrices[0]), "=r"(matrices[1])
               : "r"(row), "n"(kOffset)
               : "memory");
}

/// sum += a · b; a 16x16, b 16x8 (its columns side by side).
template <class T>
__device__ void multiply_add(float (&sum)[4], const std::uint32_t (&a)[4], std::uint32_t b_low,
                             std::uint32_t b_high);
template <>
__device__ inline void multiply_add<Half>(float (&sum)[4], const std::uint32_t (&a)[4],
                                          std::uint32_t b_low, std::uint32_t b_high) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high));
}
template <>
__device__ inline void multiply_add<BFloat16>(float (&sum)[4], const std::uint32_t (&a)[4],
                                              std::uint32_t b_low, std::uint32_t b_high) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high));
}

/// sum += a · b of 8-bit integers, exactly; a 16x32, b 32x8. Words of four take the places of TF32's numbers.
__device__ inline void multiply_add_int8(int (&sum)[4], const std::uint32_t (&a)[4],
                                         std::uint32_t b_low, std::uint32_t b_high) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high));
}

/// The nearest number with TF32's 10 bits behind the binary point, ties away from zero.
__device__ inline std::uint32_t to_tf32(std::uint32_t f32_bits) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(__uint_as_float(f32_bits)));
  return bits;
}
/// sum += a · b in TF32; a 16x8, b 8x8 (its columns side by side).
__device__ inline void multiply_add_tf32(float (&sum)[4], const std::uint32_t (&a)[4],
                                         std::uint32_t b_low, std::uint32_t b_high) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high));
}

/// The same for numbers in f32 registers.
__device__ inline float rounded_to_tf32(float value) {
  return __uint_as_float(to_tf32(__float_as_uint(value)));
}
__device__ inline void multiply_add_tf32(float (&sum)[4], const float (&a)[4], float b_low,
                                         float b_high) {
  const std::uint32_t bits[4] = {__float_as_uint(a[0]), __float_as_uint(a[1]),
                                 __float_as_uint(a[2]), __float_as_uint(a[3])};
  multiply_add_tf32(sum, bits, __float_as_uint(b_low), __float_as_uint(b_high));
}

#endif  // from compute capability 8.0 on

}  // namespace mend
