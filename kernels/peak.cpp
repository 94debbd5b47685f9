#include "kernels/peak.h"

#include <algorithm>
#include <chrono>

#include "engine/parallel.h"
#include "engine/tensor.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/peak.cpp"
#include "kernels/simd.h"

HWY_BEFORE_NAMESPACE();
namespace mend::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// 2 units x 4 cycles of latency need 8 chains; more leave the compiler no excuse.
constexpr int kChains = 12;

/// Runs `rounds` FMAs in each chain. Returns the FLOPs; `result` keeps the work from being dropped.
double run_chains(std::int64_t rounds, float* result) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const V a = hn::Set(d, 0.999f), b = hn::Set(d, 0.001f);
  V sum[kChains];
  HWY_UNROLL(12)
  for (int i = 0; i < kChains; ++i) sum[i] = hn::Set(d, static_cast<float>(i));
  for (std::int64_t round = 0; round < rounds; ++round) {
    HWY_UNROLL(12)
    for (int i = 0; i < kChains; ++i) sum[i] = hn::MulAdd(sum[i], a, b);
  }
  for (int i = 1; i < kChains; ++i) sum[0] = hn::Add(sum[0], sum[i]);
  *result = hn::GetLane(sum[0]);
  return 2.0 * kChains * static_cast<double>(rounds) * static_cast<double>(hn::Lanes(d));
}

void triad(const float* x, const float* z, float* y, std::int64_t count) {
  const hn::ScalableTag<float> d;
  const auto a = hn::Set(d, 3.0f);
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t i = 0; i + lanes <= count; i += lanes) {
    hn::Store(hn::MulAdd(a, hn::Load(d, z + i), hn::Load(d, x + i)), d, y + i);
  }
}

}  // namespace
}  // namespace mend::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mend {
HWY_EXPORT(run_chains);
HWY_EXPORT(triad);

namespace {

/// Seconds of work() with `count` threads: the least of `repeats`.
template <class Work>
double least_seconds(int count, int repeats, const Work& work) {
  const int before = threads();
  set_threads(count);
  double least = 1e9;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    least = std::min(least, elapsed.count());
  }
  set_threads(before);
  return least;
}

}  // namespace

double measure_fma_peak(int threads) {
  constexpr std::int64_t kRounds = 1 << 21;  // 4 ms at 3 GHz and two FMAs a cycle
  constexpr std::int64_t kLine = 16;         // floats between the threads' results
  const Tensor results = Tensor::zeros(vector_shape(threads * kLine));
  const Tensor flops = Tensor::zeros(vector_shape(threads * kLine));
  const double seconds = least_seconds(threads, 12, [&] {
    parallel_for(threads, [&](std::int64_t task, int) {
      const double done =
          HWY_DYNAMIC_DISPATCH(run_chains)(kRounds, results.view<float>().data + task * kLine);
      flops.view<float>().data[task * kLine] = static_cast<float>(done);
    });
  });
  return threads * static_cast<double>(flops.view<float>().data[0]) / seconds;
}

double measure_stream_peak(int threads) {
  constexpr std::int64_t kFloats = 16 << 20, kChunk = 1 << 16;
  const Tensor x = Tensor::full(vector_shape(kFloats), 1),
               z = Tensor::full(vector_shape(kFloats), 2);
  const Tensor y = Tensor::zeros(vector_shape(kFloats));
  const double seconds = least_seconds(threads, 8, [&] {
    parallel_for(kFloats / kChunk, [&](std::int64_t task, int) {
      HWY_DYNAMIC_DISPATCH(triad)
      (x.view<float>().data + task * kChunk, z.view<float>().data + task * kChunk,
       y.view<float>().data + task * kChunk, kChunk);
    });
  });
  return 3.0 * static_cast<double>(y.bytes()) / seconds;
}

}  // namespace mend
#endif
