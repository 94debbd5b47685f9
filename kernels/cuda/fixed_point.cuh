// Scattered sums, where many threads add to one number in any order: float atomics would give other bits in every run.
// Here terms are rounded to multiples of a power of two, and sums of 64-bit integers do not depend on the order.
//
// The unit is as small as the largest term allows: with 2^20 terms it is 2^-41 of that, far below the last of its 24
// bits. The price: the largest term must be known first, which reads the input once more, and 8 bytes of working
// memory a sum, which are cleared, added to and read. A term that is not finite makes every sum NaN.
#pragma once

#include <string_view>

#include "engine/cuda/check.h"
#include "engine/cuda/cuda_device.h"
#include "kernels/cuda/walk.cuh"

namespace mend {

constexpr int kFixedThreads = 256;
constexpr int kFixedRun = 8;  ///< numbers of a thread

/// What kernels add to.
struct FixedPoint {
  unsigned long long* sums;
  const unsigned* largest;  ///< of each factor of the terms, as the bits of a float
  int factors;
  int bits;  ///< of the largest term

  /// NaN if a factor is not finite.
  __device__ double per_unit() const {
    int exponent = bits;
    for (int i = 0; i < factors; ++i) {
      const int own = static_cast<int>(largest[i] >> 23);
      if (own == 255) return NAN;
      exponent -= own - 126;  // the factor is below 2 to the power of own - 126
    }
    return __longlong_as_double(static_cast<long long>(1023 + exponent) << 52);
  }
  /// A term that is not a number stands for nothing: all sums are NaN then.
  __device__ void add(std::int64_t sum, double term_in_units) const {
    atomicAdd(sums + sum, static_cast<unsigned long long>(__double2ll_rn(term_in_units)));
  }
};

static __global__ void __launch_bounds__(kFixedThreads)
    find_largest_factor(Walk<1> walk, const float* x, unsigned* largest) {
  unsigned most = 0;
#pragma unroll
  for (int i = 0; i < kFixedRun; ++i) {
    const std::uint32_t index = (blockIdx.x * kFixedRun + i) * kFixedThreads + threadIdx.x;
    if (index >= walk.count) break;
    std::int64_t at[1] = {};
    walk.locate(index, at);
    most = max(most, __float_as_uint(x[at[0]]) & 0x7FFFFFFFu);
  }
#pragma unroll
  for (int step = 16; step > 0; step /= 2) most = max(most, __shfl_xor_sync(~0u, most, step));
  if (threadIdx.x % 32 == 0) atomicMax(largest, most);
}

static __global__ void __launch_bounds__(kFixedThreads)
    place_sums(Walk<1> walk, FixedPoint from, float* y) {
  const std::uint32_t index = blockIdx.x * kFixedThreads + threadIdx.x;
  if (index >= walk.count) return;
  std::int64_t at[1] = {};
  walk.locate(index, at);
  const auto sum = static_cast<long long>(from.sums[index]);
  y[at[0]] = static_cast<float>(static_cast<double>(sum) / from.per_unit());
}

/// The sums of y's numbers, in their order.
class FixedPointSums {
 public:
  /// All 0. A number of y has at most `terms` of them, each a product of `factors`' numbers and one of at most 1.
  FixedPointSums(const View<float>& y, std::initializer_list<View<const float>> factors,
                 std::int64_t terms, std::string_view name)
      : y_(y), name_(name) {
    CudaDevice& device = current_cuda_device();
    memory_ =
        Tensor::empty({1, 1, static_cast<int>(y.shape.elements()) + 1, 8}, DType::kU8, device);
    auto* memory = reinterpret_cast<unsigned long long*>(memory_.storage()->data());
    cuda_check(cudaMemsetAsync(memory, 0, memory_.bytes(), device.stream()), name);
    int bits = 61;
    for (std::int64_t count = 1; count < terms; count *= 2) --bits;
    auto* largest = reinterpret_cast<unsigned*>(memory + y.shape.elements());
    sums_ = {memory, largest, 0, bits};
    for (const View<const float>& factor : factors) {
      if (!factor) continue;
      const Walk<1> walk(factor.shape, {Strides(factor)});
      constexpr unsigned kBlock = kFixedThreads * kFixedRun;
      find_largest_factor<<<(walk.count + kBlock - 1) / kBlock, kFixedThreads, 0,
                            device.stream()>>>(walk, factor.data, largest + sums_.factors++);
      cuda_check(cudaGetLastError(), name);
    }
  }

  const FixedPoint& on_gpu() const { return sums_; }
  /// To y.
  void place() const {
    const Walk<1> walk(y_.shape, {Strides(y_)});
    place_sums<<<(walk.count + kFixedThreads - 1) / kFixedThreads, kFixedThreads, 0,
                 current_cuda_device().stream()>>>(walk, sums_, y_.data);
    cuda_check(cudaGetLastError(), name_);
  }

 private:
  View<float> y_;
  std::string_view name_;
  Tensor memory_;
  FixedPoint sums_;
};

}  // namespace mend
