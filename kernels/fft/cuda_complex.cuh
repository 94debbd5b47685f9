// Complex numbers in registers, and the small transforms that others are made of.
#pragma once

namespace mend::fft {

__device__ inline float2 add(float2 a, float2 b) { return {a.x + b.x, a.y + b.y}; }
__device__ inline float2 subtract(float2 a, float2 b) { return {a.x - b.x, a.y - b.y}; }
__device__ inline float2 multiply(float2 a, float2 b) {
  return {fmaf(a.x, b.x, -a.y * b.y), fmaf(a.x, b.y, a.y * b.x)};
}
/// −i·a
__device__ inline float2 quarter_turn(float2 a) { return {a.y, -a.x}; }
/// Real and imaginary part exchanged: a transform between two of these is the inverse one.
__device__ inline float2 exchanged(float2 a) { return {a.y, a.x}; }

/// The transform of (a, b, c, d), in their place.
__device__ inline void transform4(float2& a, float2& b, float2& c, float2& d) {
  const float2 even = add(a, c), odd = add(b, d);
  const float2 even_difference = subtract(a, c), odd_difference = quarter_turn(subtract(b, d));
  a = add(even, odd);
  b = add(even_difference, odd_difference);
  c = subtract(even, odd);
  d = subtract(even_difference, odd_difference);
}

/// The transform of 8 numbers in their place: 52 additions and 4 multiplications of real numbers.
__device__ inline void transform8(float2 (&x)[8]) {
  constexpr float kHalfRoot = 0.70710678118654752f;
  float2 odd[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    odd[i] = subtract(x[i], x[i + 4]);
    x[i] = add(x[i], x[i + 4]);
  }
  odd[1] = {kHalfRoot * (odd[1].x + odd[1].y), kHalfRoot * (odd[1].y - odd[1].x)};
  odd[2] = quarter_turn(odd[2]);
  odd[3] = {kHalfRoot * (odd[3].y - odd[3].x), -kHalfRoot * (odd[3].x + odd[3].y)};
  transform4(x[0], x[1], x[2], x[3]);
  transform4(odd[0], odd[1], odd[2], odd[3]);
  const float2 even[4] = {x[0], x[1], x[2], x[3]};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    x[2 * i] = even[i];
    x[2 * i + 1] = odd[i];
  }
}

/// The spectra of two real lines a and b, out of those of a + i·b at l and −l:
///   A[l] = (Z[l] + Z*[−l])/2,   B[l] = (Z[l] − Z*[−l])/2i
struct TwoSpectra {
  float2 a, b;

  __device__ TwoSpectra(float2 ahead, float2 behind)
      : a{0.5f * (ahead.x + behind.x), 0.5f * (ahead.y - behind.y)},
        b{0.5f * (ahead.y + behind.y), 0.5f * (behind.x - ahead.x)} {}
};
/// A + i·B and A* + i·B*.
__device__ inline float2 joined(float2 a, float2 b) { return {a.x - b.y, a.y + b.x}; }
__device__ inline float2 joined_conjugates(float2 a, float2 b) { return {a.x + b.y, b.x - a.y}; }

/// The address of a complex number is a multiple of 8 bytes only if `aligned`.
__device__ inline float2 load_pair(const float* from, bool aligned) {
  return aligned ? *reinterpret_cast<const float2*>(from) : float2{from[0], from[1]};
}
__device__ inline void store_pair(float* to, float2 pair, bool aligned) {
  if (aligned) {
    *reinterpret_cast<float2*>(to) = pair;
  } else {
    to[0] = pair.x;
    to[1] = pair.y;
  }
}

}  // namespace mend::fft
